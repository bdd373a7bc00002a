package whatif

import (
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxScenario is far above what a scenario needs.
const maxScenario = 1 << 20

// ReadScenario reads a scenario in YAML. Unknown keys and keys that come twice are errors; ErrScenario
// names line and column. Complete is the caller's to call, once flags have had their say.
func ReadScenario(r io.Reader) (Scenario, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxScenario))
	if err != nil {
		return Scenario{}, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Scenario{}, fmt.Errorf("%w: %s", ErrScenario, yaml.FormatError(err, false, false))
	}
	switch {
	case len(file.Docs) > 1:
		return Scenario{}, fmt.Errorf("%w: %d documents in one file, use one", ErrScenario, len(file.Docs))
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return Scenario{}, nil
	}
	root := file.Docs[0].Body
	s, err := decode(root)
	if err == nil {
		return s, nil
	}
	var placed yaml.Error
	if errors.As(err, &placed) {
		return Scenario{}, fmt.Errorf("%w: %s", ErrScenario, yaml.FormatError(err, false, false))
	}
	// What a type of ours says to a word does not know where the word stands.
	at := narrow(root, root).GetToken().Position
	return Scenario{}, fmt.Errorf("%w: [%d:%d] %w", ErrScenario, at.Line, at.Column, err)
}

func decode(n ast.Node) (s Scenario, err error) {
	return s, yaml.NodeToValue(n, &s, yaml.Strict())
}

// narrow finds the smallest part of n, a part of root, for which root cannot be decoded: it leaves
// one entry at a time. It changes the tree.
func narrow(root, n ast.Node) ast.Node {
	fails := func() bool { _, err := decode(root); return err != nil }
	switch n := n.(type) {
	case *ast.MappingNode:
		all := n.Values
		for _, v := range all {
			if n.Values = []*ast.MappingValueNode{v}; fails() {
				return narrow(root, v.Value)
			}
		}
	case *ast.SequenceNode:
		all := n.Values
		for _, v := range all {
			if n.Values = []ast.Node{v}; fails() {
				return narrow(root, v)
			}
		}
	}
	return n
}
