package api_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/starling-fuota/starling/internal/api"
)

func TestTheDocumentThatIsCheckedInIsTheOneThatIsServed(t *testing.T) {
	made, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join("..", "..", "docs", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("docs/openapi.json is stale: run make generate")
	}
	again, err := api.Document()
	if err != nil || !bytes.Equal(made, again) {
		t.Errorf("it is another document each time: %v", err)
	}
}

func TestTheDocumentIsNotSentAgain(t *testing.T) {
	s := start(t)
	first := s.do("GET", "/openapi.json", "")
	if first.StatusCode != 200 || first.Header.Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("%d %s", first.StatusCode, first.Header.Get("Content-Type"))
	}
	if again := s.do("GET", "/openapi.json", "", "If-None-Match", first.Header.Get("ETag")); again.StatusCode != 304 || again.body != "" {
		t.Errorf("%d %q", again.StatusCode, again.body)
	}
}

// Every code that a client can meet is explained in docs/api.md, and none that it cannot.
func TestEveryCodeIsExplained(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]{3}) \\|").FindAllStringSubmatch(string(doc), -1) {
		explained[m[1]] = m[2]
	}
	for code, status := range api.Codes() {
		if explained[code] != strconv.Itoa(status) {
			t.Errorf("docs/api.md says that %s has the status %q, it is %d", code, explained[code], status)
		}
		delete(explained, code)
	}
	for code := range explained {
		t.Errorf("docs/api.md explains %s, which there is not", code)
	}
}
