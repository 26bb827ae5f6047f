package main

import (
	"crypto/tls"
	"errors"
	"os"
	"sync"
	"time"
)

// encryption serves TLS without a proxy in front.
type encryption struct {
	TLSCert string `name:"tls-cert" help:"File with the certificate chain, PEM: serve https. Read again when it changes." placeholder:"FILE" env:"GIRO_TLS_CERT"`
	TLSKey  string `name:"tls-key" help:"File with its private key, PEM." placeholder:"FILE" env:"GIRO_TLS_KEY"`
}

// config is nil where nothing is asked for.
func (e *encryption) config() (*tls.Config, error) {
	if e.TLSCert == "" && e.TLSKey == "" {
		return nil, nil
	}
	if e.TLSCert == "" || e.TLSKey == "" {
		return nil, exitError{exitUsage, errors.New("--tls-cert and --tls-key belong together")}
	}
	c := &certificate{cert: e.TLSCert, key: e.TLSKey}
	if _, err := c.current(); err != nil {
		return nil, exitError{exitUsage, err}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current() }}, nil
}

// certificateLook is how often files are looked at for a renewed certificate.
const certificateLook = time.Minute

// certificate is a pair of files that somebody renews.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	looked time.Time
	change time.Time // of the file that was read
	read   *tls.Certificate
}

// current returns the certificate. One that cannot be read, as in the middle of
// its renewal, leaves the one before.
func (c *certificate) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.read != nil && now.Sub(c.looked) < certificateLook {
		return c.read, nil
	}
	c.looked = now
	info, err := os.Stat(c.cert)
	if err == nil && c.read != nil && info.ModTime().Equal(c.change) {
		return c.read, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	switch {
	case err == nil:
		c.read, c.change = &pair, info.ModTime()
	case c.read == nil:
		return nil, err
	}
	return c.read, nil
}
