package vault

import (
	"encoding/binary"
	"hash"
)

// keyedHash is an HMAC that is used again and again; it belongs to one goroutine at a time.
type keyedHash struct {
	mac    hash.Hash
	buffer []byte
}

func (k *keyedHash) sum(parts []string) []byte {
	k.mac.Reset()
	k.buffer = k.buffer[:0]
	for _, part := range parts {
		k.buffer = binary.BigEndian.AppendUint32(k.buffer, uint32(len(part)))
		k.buffer = append(k.buffer, part...)
	}
	k.mac.Write(k.buffer)
	clear(k.buffer) // it held an NHS number or the like
	return k.mac.Sum(nil)
}
