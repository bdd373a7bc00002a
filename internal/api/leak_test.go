package api_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
)

// anASKey is what a network server would want to see.
const anASKey = "0123456789-as-key-of-a-network-server"

// aPrivateKey is the one Smart Delta key of these tests, PKCS#8 in PEM.
var aPrivateKey = sync.OnceValue(func() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

// dump returns all that a database holds, piece by piece.
type dump func(*testing.T) map[string][]byte

// files is the dump of an SQLite database: the file itself, and those beside it.
func files(path string) dump {
	return func(t *testing.T) map[string][]byte {
		out := map[string][]byte{}
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = content
		}
		return out
	}
}

// tables is the dump of a PostgreSQL database: every row of every table as text, bytes in hexadecimal.
func tables(database string) dump {
	return func(t *testing.T) map[string][]byte {
		conn, ctx := pgtest.Connect(t, database), context.Background()
		rows, err := conn.Query(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		if err := rows.Err(); err != nil || len(names) < 15 {
			t.Fatalf("tables %q, %v", names, err)
		}
		out := map[string][]byte{}
		for _, name := range names {
			var text []byte
			if err := conn.QueryRow(ctx, "SELECT convert_to(COALESCE(string_agg(t::text, E'\\n'), ''), 'UTF8') FROM "+name+" t").Scan(&text); err != nil {
				t.Fatal(err)
			}
			out[name] = text
		}
		return out
	}
}

// spellings are the ways in which a secret can be written down.
func spellings(secret []byte) map[string][]byte {
	digits := hex.EncodeToString(secret)
	return map[string][]byte{
		"raw": secret, "hexadecimal": []byte(digits), "capital hexadecimal": []byte(strings.ToUpper(digits)),
		"base64": []byte(base64.RawStdEncoding.EncodeToString(secret)), "base64 for addresses": []byte(base64.RawURLEncoding.EncodeToString(secret)),
	}
}

// secrets are what the tests give the server to keep, by what they are.
func (c *contract) secrets() map[string][]byte {
	key, err := hex.DecodeString(aKey)
	if err != nil {
		c.Fatal(err)
	}
	block, _ := pem.Decode([]byte(aPrivateKey()))
	out := map[string][]byte{"a key": key, "a private key": block.Bytes, "a password": []byte(password), "the key of a network server": []byte(anASKey)}
	for who, token := range c.tokens {
		out["the token of the "+who] = []byte(token)
	}
	return out
}

// tellsNothing fails the test if an answer holds a secret that nobody may see there: keys come
// out where the permission to reveal them is asked for, and a new token where it is made.
func (c *contract) tellsNothing(s sent) {
	c.Helper()
	if s.op.permission == identity.RevealKeys || slices.Contains([]string{"create-token", "login"}, s.op.id) || s.query.Get("keys") == "true" {
		return
	}
	if strings.HasPrefix(s.op.id, "import-") && s.header.Get("Import-Report") != "" && !strings.Contains(s.header.Get("Content-Type"), "json") {
		return // the bad rows, to who sent them
	}
	if strings.HasSuffix(s.op.id, "-content") && s.op.kind() == "files" {
		return // the file itself
	}
	for what, secret := range c.secrets() {
		for how, text := range spellings(secret) {
			if bytes.Contains(s.body, text) {
				c.Errorf("%s tells %s (%s):\n%s", s.op.id, what, how, s)
			}
		}
	}
}

// noSecretIsKept looks for what the tests before gave the server to keep, in everything that it
// has written.
func noSecretIsKept(c *contract) {
	content := c.content(c.T)
	content["the log"] = []byte(c.log.String())
	size := 0
	for place, bytesThere := range content {
		size += len(bytesThere)
		for what, secret := range c.secrets() {
			for how, text := range spellings(secret) {
				if bytes.Contains(bytesThere, text) {
					c.Errorf("%s holds %s (%s)", place, what, how)
				}
			}
		}
	}
	if size < 100_000 {
		c.Errorf("only %d bytes to look through: that is not the database of a full run", size)
	}
	// What is sealed is there: a dump of the wrong place would hold nothing either.
	found := false
	for _, bytesThere := range content {
		found = found || bytes.Contains(bytesThere, []byte("device.reveal_keys"))
	}
	if !found {
		c.Error("the audit log is not in what was looked through")
	}
}
