package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/cli"
)

// selfSigned writes a certificate for this machine, and its key, into two files.
func selfSigned(t *testing.T, serial int64, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "starling"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheServerSpeaksTLS(t *testing.T) {
	s := start(t)
	cert, key := filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
	selfSigned(t, 1, cert, key)
	s.serveHere("--tls-cert", cert, "--tls-key", key)
	defer s.end()
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("the server says that it is at %s", s.url)
	}
	if code, _, errs := run("device", "list", "--server", s.url); code == cli.ExitOK {
		t.Errorf("a certificate that nobody vouches for is taken: %s", errs)
	}
	config := s.write("config.yaml", []byte("current: here\ncontexts:\n  - name: here\n    server: "+s.url+"\n    token: "+os.Getenv("STARLING_TOKEN")+"\n    ca_file: "+cert+"\n"))
	t.Setenv("STARLING_CONFIG", config)
	t.Setenv("STARLING_TOKEN", "")
	if code, out, errs := run("device", "list", "-o", "json"); code != cli.ExitOK || out != "[]\n" {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

// Whoever renews a certificate writes two files, one after the other, and restarts nothing.
func TestARenewedCertificateIsUsed(t *testing.T) {
	dir := t.TempDir()
	c := &certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	serial := func() int64 {
		t.Helper()
		c.looked = time.Time{} // as if enough time had passed
		got, err := c.current(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	renew := func(n int64) {
		selfSigned(t, n, c.cert, c.key)
		later := time.Now().Add(time.Duration(n) * time.Second)
		for _, name := range []string{c.cert, c.key} {
			if err := os.Chtimes(name, later, later); err != nil {
				t.Fatal(err)
			}
		}
	}
	renew(1)
	if got := serial(); got != 1 {
		t.Fatalf("certificate %d", got)
	}
	renew(2)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d after a renewal", got)
	}
	// Half of a renewal: the key does not fit yet.
	selfSigned(t, 3, c.cert, filepath.Join(dir, "elsewhere"))
	if got := serial(); got != 2 {
		t.Errorf("certificate %d in the middle of a renewal", got)
	}
	renew(4)
	if got := serial(); got != 4 {
		t.Errorf("certificate %d after all", got)
	}
}
