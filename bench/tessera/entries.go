package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// makeEntries returns n distinct entries of size bytes each, all views of one buffer: an AES-128-CTR key stream under
// the seed, in which each entry's first eight (or fewer) bytes are its number, little endian. bench/entries.ts makes
// the very same bytes.
func makeEntries(n, size int, seed uint64) ([][]byte, error) {
	if size < 8 && uint64(n) > uint64(1)<<(8*size) {
		return nil, fmt.Errorf("there are no %d distinct entries of %d bytes", n, size)
	}
	var key, iv [aes.BlockSize]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, n*size)
	cipher.NewCTR(block, iv[:]).XORKeyStream(buffer, buffer)

	entries := make([][]byte, n)
	var number [8]byte
	for i := range entries {
		entries[i] = buffer[i*size : (i+1)*size : (i+1)*size]
		binary.LittleEndian.PutUint64(number[:], uint64(i))
		copy(entries[i], number[:])
	}
	return entries, nil
}
