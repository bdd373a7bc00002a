package cli

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

//go:embed completion
var completionScripts embed.FS

// Completion is "completion".
type Completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: ${enum}."`
}

// Help is shown below the summary of the command.
func (*Completion) Help() string {
	return `Completes commands, flags and their values, and identifiers, for which the server is asked.

  bash:  source <(starling completion bash)     in ~/.bashrc
  zsh:   source <(starling completion zsh)      in ~/.zshrc
  fish:  starling completion fish | source      in ~/.config/fish/config.fish`
}

// Run writes the script. It only asks "starling __complete", so that it need not know the commands.
func (c *Completion) Run(std *Streams) error {
	b, err := completionScripts.ReadFile("completion/" + c.Shell)
	if err != nil {
		return err
	}
	_, err = std.Out.Write(b)
	return err
}

// Complete is "__complete", which the scripts of the shells ask.
type Complete struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"Command line up to the cursor."`
}

// completeTime is how long a server is waited for: somebody is, with a finger on a key.
const completeTime = time.Second

// Run writes a candidate per line, and after a tab what it is. The line ":file" means that
// a file belongs here. A server that does not answer is no error here: there is nobody to read it.
func (c *Complete) Run(ctx context.Context, model *kong.Application, std *Streams) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	line := parseLine(model.Node, words)
	for _, found := range line.candidates(func(kind string) []candidate { return line.live(ctx, kind) }) {
		fmt.Fprintln(std.Out, found)
	}
	return nil
}

// candidate is a word that could stand at the cursor.
type candidate struct{ word, help string }

// String returns the word and, after a tab, the first line of what it is.
func (c candidate) String() string {
	if c.help == "" {
		return c.word
	}
	return c.word + "\t" + cell(c.help)
}

// aFile is the candidate that stands for all files.
var aFile = candidate{word: ":file"}

// commandLine is what a command line means up to the cursor.
type commandLine struct {
	node        *kong.Node        // the command so far
	positionals int               // arguments of it before the cursor
	plain       bool              // after "--": no more flags
	values      map[string]string // flags that have been given
	flag        *kong.Flag        // whose value is at the cursor; nil: none
	prefix      string            // "--flag=" before the value in the same word
	current     string            // what there is of the word at the cursor
}

// parseLine reads words; the last is the one at the cursor.
func parseLine(root *kong.Node, words []string) *commandLine {
	l := &commandLine{node: root, values: map[string]string{}}
	words = unsplit(words)
	if len(words) == 0 {
		return l
	}
	last := len(words) - 1
	for i := 0; i < last; i++ {
		l.flag = nil
		flag, value, given := l.flagOf(words[i])
		switch {
		case flag != nil && given:
			l.values[flag.Name] = value
		case flag != nil && flag.IsBool():
			l.values[flag.Name] = ""
		case flag != nil && i+1 == last:
			l.flag = flag
		case flag != nil:
			i++
			l.values[flag.Name] = words[i]
		case words[i] == "--" && !l.plain:
			l.plain = true
		default:
			l.enter(words[i])
		}
	}
	l.current = words[last]
	if flag, value, given := l.flagOf(l.current); l.flag == nil && flag != nil && given {
		l.flag, l.prefix, l.current = flag, strings.TrimSuffix(l.current, value), value
	}
	return l
}

// unsplit puts together again what bash takes apart: it counts "--flag=value" as three
// words, of which the value is completed alone.
func unsplit(words []string) (out []string) {
	for i := 0; i < len(words); i++ {
		if words[i] == "=" && i > 0 && strings.HasPrefix(words[i-1], "--") && !strings.Contains(words[i-1], "=") {
			if i == len(words)-1 {
				out = append(out, "")
			}
			continue
		}
		out = append(out, words[i])
	}
	return out
}

// flagOf returns the flag that a word is, if it is one, and the value that is in the same word.
func (l *commandLine) flagOf(word string) (flag *kong.Flag, value string, given bool) {
	if l.plain || len(word) < 2 || word[0] != '-' || word == "--" {
		return nil, "", false
	}
	name, value, given := strings.Cut(word, "=")
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			switch {
			case name == "--"+f.Name, name == "--no-"+f.Name && f.Tag.Negatable != "":
				return f, value, given
			case f.Short != 0 && strings.HasPrefix(word, "-"+string(f.Short)):
				value = strings.TrimPrefix(word, "-"+string(f.Short))
				return f, value, value != "" && !f.IsBool()
			}
		}
	}
	return nil, "", false
}

// enter follows a word to a command below, or counts it as an argument.
func (l *commandLine) enter(word string) {
	for _, child := range l.node.Children {
		for _, name := range append([]string{child.Name}, child.Aliases...) {
			if name == word {
				l.node = child
				return
			}
		}
	}
	l.positionals++
}

// candidates returns what could stand at the cursor. Live returns identifiers of a kind.
func (l *commandLine) candidates(live func(kind string) []candidate) (found []candidate) {
	add := func(word, help string) {
		if word != "" && strings.HasPrefix(strings.ToLower(word), strings.ToLower(l.current)) {
			found = append(found, candidate{l.prefix + word, help})
		}
	}
	value := func(v *kong.Value) {
		for _, word := range v.EnumSlice() {
			add(word, "")
		}
		switch kind := v.Tag.Get("complete"); kind {
		case "":
		case "file":
			found = append(found, aFile)
		default:
			for _, x := range live(kind) {
				add(x.word, x.help)
			}
		}
	}
	switch {
	case l.flag != nil:
		value(l.flag.Value)
	case strings.HasPrefix(l.current, "-") && !l.plain:
		l.flags(add)
	case len(l.node.Children) > 0:
		for _, child := range l.node.Children {
			if !child.Hidden {
				add(child.Name, child.Help)
			}
		}
	case len(l.node.Positional) > 0:
		at := min(l.positionals, len(l.node.Positional)-1)
		if p := l.node.Positional[at]; at == l.positionals || p.IsSlice() {
			value(p)
		}
	}
	return found
}

// flags adds the flags of the command and of those above it.
func (l *commandLine) flags(add func(word, help string)) {
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			if _, given := l.values[f.Name]; given && !f.IsSlice() && !f.IsMap() {
				continue
			}
			add("--"+f.Name, f.Help)
			if f.Tag.Negatable != "" {
				add("--no-"+f.Name, f.Help)
			}
		}
	}
}

// maxLive bounds how many identifiers are offered.
const maxLive = 100

// live returns the identifiers of a kind that begin like the word at the cursor: "contexts" from
// the configuration, the rest from the server; "ids" are those of the noun.
func (l *commandLine) live(ctx context.Context, kind string) []candidate {
	if kind == "contexts" {
		cfg, err := LoadConfig()
		if err != nil {
			return nil
		}
		var found []candidate
		for _, x := range cfg.Contexts {
			found = append(found, candidate{x.Name, x.Server})
		}
		return found
	}
	if kind == "ids" {
		for node := l.node; node != nil; node = node.Parent {
			if x, ok := node.Target.Addr().Interface().(interface{ noun() *noun }); ok {
				kind = x.noun().path
				break
			}
		}
	}
	from := Connection{Server: firstText(l.values["server"], os.Getenv("STARLING_SERVER")), Context: firstText(l.values["context"], os.Getenv("STARLING_CONTEXT")),
		Subscriber: firstText(l.values["subscriber"], os.Getenv("STARLING_SUBSCRIBER")), CAFile: l.values["ca-file"]}
	c, err := from.connect(&Streams{Err: io.Discard})
	if err != nil {
		return nil
	}
	if kind == "permissions" {
		return c.permissions(ctx)
	}
	return c.identifiers(ctx, kind, l.current)
}

// permissions returns what may be given to a token: what its owner has.
func (c *Client) permissions(ctx context.Context) (found []candidate) {
	raw, err := c.call(ctx, http.MethodGet, nil, nil, "session")
	if err != nil {
		return nil
	}
	var me struct {
		Permissions []string `json:"permissions"`
	}
	if err := json.Unmarshal(raw, &me); err != nil {
		return nil
	}
	for _, p := range me.Permissions {
		found = append(found, candidate{word: p})
	}
	return found
}

// identifiers returns the identifiers in a list, and what people call them.
func (c *Client) identifiers(ctx context.Context, path, like string) (found []candidate) {
	query := url.Values{}
	if like != "" {
		query.Set("q", like)
	}
	items, err := c.pages(ctx, query, maxLive, path)
	if err != nil {
		return nil
	}
	for _, raw := range items {
		var x struct {
			ID     string `json:"id"`
			DevEUI string `json:"dev_eui"`
			Name   string `json:"name"`
			Login  string `json:"login"`
			Kind   string `json:"kind"`
		}
		if err := json.Unmarshal(raw, &x); err != nil {
			return nil
		}
		found = append(found, candidate{firstText(x.DevEUI, x.ID), firstText(x.Name, x.Login, x.Kind)})
	}
	return found
}
