package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// pollInterval is how often the published checkpoint is read to date publications: well below Tessera's shortest
// checkpoint interval, and cheap (one small file from the page cache).
const pollInterval = 5 * time.Millisecond

type appendResult struct {
	Mode             string  `json:"mode"`
	Entries          int     `json:"entries"`
	Bytes            int     `json:"bytes"`
	Batch            uint    `json:"batch"`
	BatchAgeMs       int64   `json:"batchAgeMs"`
	Seconds          float64 `json:"seconds"` // until a published checkpoint covers every entry
	EntriesPerSecond float64 `json:"entriesPerSecond"`
	// The same, but only until every future has resolved (durable and integrated, not yet published).
	IntegratedSeconds          float64 `json:"integratedSeconds"`
	IntegratedEntriesPerSecond float64 `json:"integratedEntriesPerSecond"`
	P50Ms                      float64 `json:"p50Ms"` // from the call of Add to publication
	P99Ms                      float64 `json:"p99Ms"`
	CommitP50Ms                float64 `json:"commitP50Ms"` // from the call of Add until its future resolved
	CommitP99Ms                float64 `json:"commitP99Ms"`
	VerifierKey                string  `json:"verifierKey"`
}

// observation is a size of the published checkpoint and when it was first seen.
type observation struct {
	size uint64
	at   time.Time
}

func runAppend(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("append", flag.ContinueOnError)
	dir := flags.String("dir", "", "fresh folder for the log")
	n := flags.Int("entries", 100_000, "number of entries")
	size := flags.Int("bytes", 1024, "bytes of each entry")
	batch := flags.Uint("batch", tessera.DefaultBatchMaxSize, "largest batch, in entries")
	age := flags.Duration("age", tessera.DefaultBatchMaxAge, "greatest age of a batch")
	interval := flags.Duration("checkpoint-interval", 100*time.Millisecond, "checkpoint interval (the driver's minimum is 100ms)")
	dedup := flags.Uint("dedup", 0, "recognise equal entries among so many of the latest, in memory")
	adders := flags.Int("adders", 16, "goroutines that add entries; each may have one full batch waiting")
	seed := flags.Uint64("seed", 1, "seed of the entries")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *dir == "" || *n < 1 || *adders < 1 {
		return nil, errors.New("needs --dir, and --entries and --adders of at least 1")
	}
	if found, err := os.ReadDir(*dir); err == nil && len(found) > 0 {
		return nil, fmt.Errorf("%s is not empty", *dir)
	}
	entries, err := makeEntries(*n, *size, *seed)
	if err != nil {
		return nil, err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, "tessera.bench.example")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: *dir})
	if err != nil {
		return nil, err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(*batch, *age).
		WithCheckpointInterval(*interval).
		WithCheckpointRepublishInterval(0).
		WithGarbageCollectionInterval(0).
		WithPushback(uint(*n) + 1).
		WithShutdownTimeout(2 * time.Minute)
	if *dedup > 0 {
		options = options.WithAntispam(*dedup, nil)
	}
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return nil, err
	}

	indices := make([]uint64, *n)
	called := make([]time.Time, *n)
	resolved := make([]time.Time, *n)
	watch := watchCheckpoint(filepath.Join(*dir, "checkpoint"), uint64(*n))
	start := time.Now()
	if err := addAll(ctx, appender, entries, *adders, called, resolved, indices); err != nil {
		return nil, err
	}
	integrated := time.Since(start)
	observations, err := watch()
	if err != nil {
		return nil, err
	}
	published := observations[len(observations)-1].at.Sub(start)
	if err := shutdown(ctx); err != nil {
		return nil, fmt.Errorf("shutting down: %w", err)
	}

	commits := make([]time.Duration, *n)
	publications := make([]time.Duration, *n)
	for i := range entries {
		commits[i] = resolved[i].Sub(called[i])
		covering, _ := slices.BinarySearchFunc(observations, indices[i]+1, func(o observation, size uint64) int {
			if o.size < size {
				return -1
			}
			return 1
		})
		publications[i] = observations[covering].at.Sub(called[i])
	}
	return appendResult{
		Mode: "append", Entries: *n, Bytes: *size, Batch: *batch, BatchAgeMs: age.Milliseconds(),
		Seconds: published.Seconds(), EntriesPerSecond: float64(*n) / published.Seconds(),
		IntegratedSeconds: integrated.Seconds(), IntegratedEntriesPerSecond: float64(*n) / integrated.Seconds(),
		P50Ms: percentile(publications, 0.50), P99Ms: percentile(publications, 0.99),
		CommitP50Ms: percentile(commits, 0.50), CommitP99Ms: percentile(commits, 0.99),
		VerifierKey: vkey,
	}, nil
}

// addAll adds every entry, from several goroutines so that a full batch always waits behind the one being written,
// and returns when every future has resolved. The driver's queue holds an adder back when it is full.
func addAll(ctx context.Context, appender *tessera.Appender, entries [][]byte, adders int, called, resolved []time.Time, indices []uint64) error {
	type pending struct {
		entry  int
		future tessera.IndexFuture
	}
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var all sync.WaitGroup
	for range adders {
		waiting := make(chan pending, len(entries))
		all.Go(func() {
			defer close(waiting)
			for {
				i := int(next.Add(1) - 1)
				if i >= len(entries) || failure.Load() != nil {
					return
				}
				called[i] = time.Now()
				waiting <- pending{i, appender.Add(ctx, tessera.NewEntry(entries[i]))}
			}
		})
		all.Go(func() {
			for p := range waiting {
				index, err := p.future()
				if err != nil {
					err = fmt.Errorf("adding entry %d: %w", p.entry, err)
					failure.CompareAndSwap(nil, &err)
					return
				}
				resolved[p.entry] = time.Now()
				indices[p.entry] = index.Index
			}
		})
	}
	all.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}

// watchCheckpoint reads the checkpoint file until it covers `size` entries. The function it returns waits for that
// and hands back each size that was seen; it gives up when the file has not changed for a minute.
func watchCheckpoint(path string, size uint64) func() ([]observation, error) {
	var seen []observation
	done := make(chan error, 1)
	go func() {
		changed := time.Now()
		for {
			found, err := publishedSize(path)
			if err != nil {
				done <- err
				return
			}
			if len(seen) == 0 || found > seen[len(seen)-1].size {
				changed = time.Now()
				seen = append(seen, observation{found, changed})
			}
			if found >= size {
				done <- nil
				return
			}
			if time.Since(changed) > time.Minute {
				done <- fmt.Errorf("no new checkpoint for a minute: %d of %d entries are published", found, size)
				return
			}
			time.Sleep(pollInterval)
		}
	}()
	return func() ([]observation, error) {
		err := <-done
		return seen, err
	}
}

func publishedSize(path string) (uint64, error) {
	bytes, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	lines := strings.SplitN(string(bytes), "\n", 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("%s is no checkpoint", path)
	}
	return strconv.ParseUint(lines[1], 10, 64)
}

// percentile is the nearest-rank percentile, in milliseconds. It sorts `durations`.
func percentile(durations []time.Duration, p float64) float64 {
	slices.Sort(durations)
	rank := min(len(durations)-1, int(float64(len(durations))*p))
	return float64(durations[rank].Microseconds()) / 1000
}
