// The other side of `npm run bench -- versus-tessera`: Tessera v1.0.4 and Go's Merkle tree libraries, driven in
// process, on the same machine and the same kind of entries as Stele's own benchmarks.
//
//	append  N entries into a fresh log with the POSIX driver, until a published checkpoint covers them all
//	tree    leaf and node hashes of N leaves in memory
//	fsck    Tessera's fsck package over a log folder
//
// Each mode prints one JSON object on one line; times are in seconds or, where the name says so, milliseconds.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"
)

func main() {
	// Tessera logs with klog, which would chat on stderr at each run. Errors still go there.
	klog.InitFlags(nil)
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	if err := flag.Set("stderrthreshold", "ERROR"); err != nil {
		panic(err)
	}

	modes := map[string]func(context.Context, []string) (any, error){
		"append": runAppend,
		"tree":   runTree,
		"fsck":   runFsck,
	}
	if len(os.Args) < 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: stele-bench-tessera append|tree|fsck [flags]")
		os.Exit(2)
	}
	result, err := modes[os.Args[1]](context.Background(), os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintf(os.Stderr, "%s: printing the result: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
