package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// checkTimeout bounds a check: with one worker the package hangs on a corrupt tile.
const checkTimeout = 10 * time.Minute

type fsckResult struct {
	Mode             string  `json:"mode"`
	Entries          uint64  `json:"entries"`
	Workers          uint    `json:"workers"`
	Seconds          float64 `json:"seconds"`
	EntriesPerSecond float64 `json:"entriesPerSecond"`
}

func runFsck(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("fsck", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder of the log")
	vkey := flags.String("vkey", "", "verifier key of the log")
	workers := flags.Uint("workers", 4, "number of workers")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *dir == "" || *vkey == "" {
		return nil, errors.New("needs --dir and --vkey")
	}
	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return nil, err
	}
	size, err := publishedSize(filepath.Join(*dir, "checkpoint"))
	if err != nil {
		return nil, err
	}
	time.AfterFunc(checkTimeout, func() {
		fmt.Fprintf(os.Stderr, "fsck: not done after %v\n", checkTimeout)
		os.Exit(1)
	})

	source := &client.FileFetcher{Root: *dir}
	check := fsck.New(verifier.Name(), verifier, source, leafHashes, fsck.Opts{N: *workers})
	start := time.Now()
	if err := check.Check(ctx); err != nil {
		// The message may carry hex dumps of whole tiles.
		message := err.Error()
		return nil, errors.New(message[:min(len(message), 500)])
	}
	seconds := time.Since(start).Seconds()
	return fsckResult{
		Mode: "fsck", Entries: size, Workers: *workers, Seconds: seconds, EntriesPerSecond: float64(size) / seconds,
	}, nil
}

// leafHashes is what Tessera's fsck command hands to the package: the RFC 6962 leaf hashes of a bundle's entries.
func leafHashes(bundle []byte) ([][]byte, error) {
	parsed := api.EntryBundle{}
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, fmt.Errorf("parsing a bundle: %w", err)
	}
	hashes := make([][]byte, len(parsed.Entries))
	for i, entry := range parsed.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(entry)
	}
	return hashes, nil
}
