package giro

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// Seal encrypts what has to be read again (webhook secrets, credentials of
// rails) with AES-256-GCM under a key of one purpose. owner binds the text to
// what it belongs to: sealed for another one it does not open.
func (s Secret) Seal(purpose, owner, plain string) string {
	box := s.box(purpose)
	sealed := make([]byte, box.NonceSize(), box.NonceSize()+len(plain)+box.Overhead())
	rand.Read(sealed)
	sealed = box.Seal(sealed, sealed, []byte(plain), []byte(owner))
	return base64.RawStdEncoding.EncodeToString(sealed)
}

// Open decrypts what Seal made.
func (s Secret) Open(purpose, owner, sealed string) (string, error) {
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	box := s.box(purpose)
	if err != nil || len(raw) < box.NonceSize() {
		return "", errors.New("a sealed secret is damaged")
	}
	plain, err := box.Open(nil, raw[:box.NonceSize()], raw[box.NonceSize():], []byte(owner))
	if err != nil {
		return "", errors.New("a sealed secret does not open: it was sealed with another key of the installation")
	}
	return string(plain), nil
}

func (s Secret) box(purpose string) cipher.AEAD {
	key := s.MAC("seal", purpose)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return box
}
