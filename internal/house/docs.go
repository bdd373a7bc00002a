package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// link is a Markdown link or image: what stands in the parentheses, without a title.
var link = regexp.MustCompile(`\]\(([^()\s]+)[^()]*\)`)

// scheme begins a link that leaves the repository. Nobody looks there: tests need no network.
var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)

// prose returns the lines of a Markdown file with code taken out: code holds no links.
func prose(content string) []string {
	lines := strings.Split(content, "\n")
	fenced := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fenced || fence {
			lines[i] = ""
		}
		if fence {
			fenced = !fenced
		}
		if parts := strings.Split(lines[i], "`"); len(parts) > 2 {
			for k := 1; k < len(parts)-1; k += 2 {
				parts[k] = ""
			}
			lines[i] = strings.Join(parts, "")
		}
	}
	return lines
}

// anchor returns the fragment by which a heading is linked to, as GitHub and others make it.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#"))) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

// linkComplaints says which relative links of the Markdown file name lead nowhere. read returns
// the content of a file of the repository, and false if there is none; of a folder it is empty.
func linkComplaints(name string, read func(string) (string, bool)) []string {
	content, _ := read(name)
	var found []string
	for i, line := range prose(content) {
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if scheme.MatchString(m[1]) {
				continue
			}
			file, fragment, _ := strings.Cut(m[1], "#")
			target, text := name, content
			if file != "" {
				target = path.Join(path.Dir(name), file)
				var ok bool
				if text, ok = read(target); !ok {
					found = append(found, fmt.Sprintf("%s:%d: link to %s: there is no %s", name, i+1, m[1], target))
					continue
				}
			}
			if fragment != "" && !hasAnchor(text, fragment) {
				found = append(found, fmt.Sprintf("%s:%d: link to %s: %s has no such heading", name, i+1, m[1], target))
			}
		}
	}
	return found
}

func hasAnchor(content, fragment string) bool {
	fenced := false
	for line := range strings.Lines(content) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if !fenced && strings.HasPrefix(line, "#") && anchor(line) == fragment {
			return true
		}
	}
	return false
}

// reasons returns the values of the constants of type Reason that a file declares.
func reasons(file *ast.File) []string {
	var codes []string
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, spec := range gen.Specs {
			v := spec.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Reason" {
				continue
			}
			for _, x := range v.Values {
				if lit, ok := x.(*ast.BasicLit); ok {
					if code, err := strconv.Unquote(lit.Value); err == nil && code != "" {
						codes = append(codes, code)
					}
				}
			}
		}
	}
	return codes
}

// reasonComplaints says which codes a document does not explain: each needs a table row of its own.
func reasonComplaints(name, content string, codes []string) []string {
	var found []string
	for _, code := range codes {
		if !strings.Contains(content, "\n| `"+code+"` |") {
			found = append(found, fmt.Sprintf("%s: no row for reason %s: say what it means, why it happens and what to do", name, code))
		}
	}
	return found
}
