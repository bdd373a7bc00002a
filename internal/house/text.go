package house

import (
	"bytes"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// private are texts that belong to somebody's machine and not into a repository. The
// first letter of each is in brackets, so that this file does not complain of itself.
var private = []*regexp.Regexp{
	regexp.MustCompile(`(^|[^\w./-])/[w]ork/`),
	regexp.MustCompile(`(^|[^\w./-])/[h]ome/\w+/`),
	regexp.MustCompile(`(^|[^\w./-])/[U]sers/\w+/`),
	regexp.MustCompile(`[G]O(PROXY|NOPROXY|NOSUMDB|PRIVATE|INSECURE)=\S`),
	regexp.MustCompile(`(?i)[h]ttps?://[\w.-]*(registry|artifactory|nexus|goproxy|mirror)[\w-]*\.[\w.-]+`),
}

// skipped are folders that hold nothing of ours: version control and what `make clean` removes.
var skipped = []string{".git", "bin", filepath.Join("tools", "bin")}

// textComplaints says where a file names what is private to a machine.
func textComplaints(name string, content []byte) []string {
	if bytes.IndexByte(content, 0) >= 0 { // an image, a firmware
		return nil
	}
	var found []string
	for i, line := range bytes.Split(content, []byte("\n")) {
		for _, re := range private {
			if m := re.Find(line); m != nil {
				found = append(found, fmt.Sprintf("%s:%d: %q belongs to a machine, not to the repository", name, i+1, m))
			}
		}
	}
	return found
}

// files lists what root consists of, as paths below it: what git tracks or, in a
// release archive, whatever is there.
func files(root string) ([]string, error) {
	git := exec.Command("git", "ls-files", "-z")
	git.Dir = root
	if out, err := git.Output(); err == nil {
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
	}
	return walk(root)
}

// walk lists the files below root but for version control and build products.
func walk(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(skipped, name) {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}
