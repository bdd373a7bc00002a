package deltatest

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
)

// Pairs are the pairs of images of one device program and the next, the smallest first.
var Pairs = []string{"programmer-0.8.0-0.9.0", "shell", "pybv11-1f5d945af-dirty"}

// Path returns the path of a file or folder of the fixtures.
func Path(t testing.TB, name ...string) string {
	t.Helper()
	root := cmp.Or(os.Getenv("FIXTURES"), filepath.Join("..", "shared", "fixtures", "delta"))
	if !filepath.IsAbs(root) {
		root = filepath.Join(repository(t), root)
	}
	path := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs the firmware images, set FIXTURES: %v", err)
		}
		t.Skipf("real images are not tried, set FIXTURES: %v", err)
	}
	return path
}

// repository is the folder of go.mod, above that of the test.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the folder of the test")
		}
		dir = filepath.Dir(dir)
	}
}

// File returns the bytes of a file of the fixtures.
func File(t testing.TB, name ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(Path(t, name...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Pair returns the images of a pair.
func Pair(t testing.TB, name string) (old, target []byte) {
	t.Helper()
	return File(t, name, "old.bin"), File(t, name, "new.bin")
}
