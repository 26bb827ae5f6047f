package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, cert, key string, serial int64) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestServesTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := x509.NewCertPool()
	pool.AddCert(selfSigned(t, cert, key, 1))
	s := serveWith(t, "--data", filepath.Join(dir, "data"), "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.URL, "https://127.0.0.1:") {
		t.Fatal(s.URL)
	}
	for _, protocols := range [][]string{{"http/1.1"}, {"h2", "http/1.1"}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: protocols}, ForceAttemptHTTP2: len(protocols) == 2}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequest(http.MethodPost, s.URL+"/charges", strings.NewReader(`{"amount":1000,"provider":"card","currency":"usd","card":{"token":"card_token"}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.Keys["test"].SecretKey)
		r.Header.Set("Content-Type", "application/json")
		a, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode != http.StatusCreated || a.ProtoMajor != len(protocols) {
			t.Errorf("%s %s: %s", a.Proto, a.Status, body)
		}
	}
	plain, err := http.Get("http" + strings.TrimPrefix(s.URL, "https") + "/livez")
	if err == nil && plain.StatusCode == http.StatusOK {
		t.Error("it answers without encryption too")
	}

	c := newConsole(t, nil)
	c.must(exitUsage, "serve", "--data", filepath.Join(dir, "other"), "--tls-cert", cert)
	c.must(exitUsage, "serve", "--data", filepath.Join(dir, "other"), "--tls-cert", cert, "--tls-key", cert)
	if _, err := os.Stat(filepath.Join(dir, "other")); err == nil {
		t.Error("a store was made before the files were looked at")
	}
}

// TestCertificateIsRenewed: a new pair of files is taken up without a restart, and
// half of one leaves the old one in use.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	if _, err := c.current(); err == nil {
		t.Error("there are no files")
	}
	serial := func() int64 {
		t.Helper()
		pair, err := c.current()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	renew := func(n int64) {
		selfSigned(t, c.cert, c.key, n)
		later := time.Now().Add(time.Duration(n) * time.Hour)
		if err := os.Chtimes(c.cert, later, later); err != nil {
			t.Fatal(err)
		}
	}
	renew(1)
	if got := serial(); got != 1 {
		t.Error(got)
	}
	renew(2)
	if got := serial(); got != 1 {
		t.Errorf("the files are read more than once a minute: %d", got)
	}
	c.looked = time.Time{}
	if got := serial(); got != 2 {
		t.Error(got)
	}
	renew(3)
	if err := os.WriteFile(c.key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	if got := serial(); got != 2 {
		t.Error(got)
	}
	renew(3)
	c.looked = time.Time{}
	if got := serial(); got != 3 {
		t.Error(got)
	}
}

func TestBackupsOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, folder := filepath.Join(dir, "data"), filepath.Join(dir, "backups")
	s := serve(t, data)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, s)
	var made []string
	for range 3 {
		made = append(made, strings.Fields(c.must(0, "backup", "--data", data, folder, "--keep", "2"))[0])
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) != 2 || left[0] != made[1] || left[1] != made[2] {
		t.Errorf("%q are left of %q (%v)", left, made, err)
	}
	c.must(0, "restore", "--data", filepath.Join(dir, "restored"), made[2])
	c.must(exitUsage, "backup", "--data", data, filepath.Join(dir, "file.db"), "--every", "1h")
	c.must(exitUsage, "backup", "--data", data, folder, "--every", "1ms")
	c.must(exitUsage, "backup", "--data", filepath.Join(dir, "nothing"), folder)
	if v := c.must(0, "openapi", "--dialect"); !strings.Contains(v, `"/payout/{id}"`) {
		t.Errorf("%.200s", v)
	}
}
