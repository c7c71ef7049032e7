package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

type treeResult struct {
	Mode            string  `json:"mode"`
	Leaves          int     `json:"leaves"`
	Bytes           int     `json:"bytes"`
	LeavesPerSecond float64 `json:"leavesPerSecond"` // the faster of the two
	CompactRange    float64 `json:"compactRange"`    // leaves/s, transparency-dev/merkle
	StoredHashes    float64 `json:"storedHashes"`    // leaves/s, golang.org/x/mod/sumdb/tlog
	Root            string  `json:"root"`
}

func runTree(_ context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("tree", flag.ContinueOnError)
	n := flags.Int("leaves", 1_000_000, "number of leaves")
	size := flags.Int("bytes", 32, "bytes of each leaf")
	seed := flags.Uint64("seed", 1, "seed of the leaves")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	leaves, err := makeEntries(*n, *size, *seed)
	if err != nil {
		return nil, err
	}

	start := time.Now()
	compactRoot, err := compactRange(leaves)
	if err != nil {
		return nil, err
	}
	compactSeconds := time.Since(start).Seconds()

	start = time.Now()
	storedRoot, err := storedHashes(leaves)
	if err != nil {
		return nil, err
	}
	storedSeconds := time.Since(start).Seconds()

	if string(compactRoot) != string(storedRoot[:]) {
		return nil, fmt.Errorf("the two libraries disagree about the root: %x, %x", compactRoot, storedRoot)
	}
	count := float64(*n)
	return treeResult{
		Mode: "tree", Leaves: *n, Bytes: *size,
		LeavesPerSecond: count / min(compactSeconds, storedSeconds),
		CompactRange:    count / compactSeconds,
		StoredHashes:    count / storedSeconds,
		Root:            storedRoot.String(),
	}, nil
}

// compactRange hashes every leaf and node and keeps only the right edge.
func compactRange(leaves [][]byte) ([]byte, error) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	edge := factory.NewEmptyRange(0)
	for _, leaf := range leaves {
		if err := edge.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
			return nil, err
		}
	}
	return edge.GetRootHash(nil)
}

// hashSlice is the checksum database's hash storage, in memory.
type hashSlice []tlog.Hash

func (h hashSlice) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = h[index]
	}
	return hashes, nil
}

// storedHashes hashes every leaf and node and keeps them all.
func storedHashes(leaves [][]byte) (tlog.Hash, error) {
	stored := make(hashSlice, 0, 2*len(leaves))
	for i, leaf := range leaves {
		hashes, err := tlog.StoredHashes(int64(i), leaf, stored)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, hashes...)
	}
	return tlog.TreeHash(int64(len(leaves)), stored)
}
