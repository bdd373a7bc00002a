package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run parses args by a grammar (a pointer to a struct with kong tags), runs the
// command that they name, and returns the exit code. The command's Run method may ask for
// a context.Context, which ends when the command is interrupted, and for *Streams.
func Run(ctx context.Context, grammar any, args []string, std Streams) (code int) {
	// kong wants to exit after --help; a panic is the way out that it leaves us.
	type exit int
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exit:
			code = int(v)
		default:
			panic(v)
		}
	}()
	parser, err := kong.New(grammar, kong.Name("starling"), kong.Description("Firmware updates over the air for LoRaWAN fleets. Exit codes are explained by \"starling help exit-codes\"."),
		kong.Writers(std.Out, std.Err), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.TypeMapper(reflect.TypeFor[*time.Time](), kong.MapperFunc(parseTime)),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&std))
	if err != nil {
		fmt.Fprintln(std.Err, "starling:", err)
		return ExitFailed
	}
	describe(parser.Model.Node)
	parsed, err := parser.Parse(args)
	if err != nil {
		say(std.Err, err)
		fmt.Fprintf(std.Err, "Run \"%s --help\" to see what there is.\n", strings.TrimSpace("starling "+commandOf(err)))
		return ExitUsage
	}
	if err := bindTo(parsed, parser.Model, &std); err != nil {
		fmt.Fprintln(std.Err, "starling:", err)
		return ExitFailed
	}
	if err := parsed.Run(); err != nil {
		code := exitCode(ctx, err)
		if code == ExitInterrupted {
			err = errors.New("interrupted")
		}
		say(std.Err, err)
		return code
	}
	return ExitOK
}

// bindTo makes known to Run methods what the commands on the way to them are about.
func bindTo(parsed *kong.Context, model *kong.Application, std *Streams) error {
	parsed.Bind(model)
	for _, p := range parsed.Path {
		if p.Command == nil {
			continue
		}
		target := p.Command.Target.Addr().Interface()
		if x, ok := target.(interface{ noun() *noun }); ok {
			parsed.Bind(x.noun())
		}
		if x, ok := target.(interface{ form() *Form }); ok {
			parsed.Bind(x.form())
		}
		if x, ok := target.(interface{ connection() *Connection }); ok {
			// Made when a command asks for it: a bad configuration is no wrong command line.
			c := x.connection()
			if err := parsed.BindSingletonProvider(func() (*Client, error) { return c.connect(std) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// commandOf returns as much of the command as could be understood.
func commandOf(err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return ""
	}
	var names []string
	for _, p := range parse.Context.Path {
		if p.Command != nil {
			names = append(names, p.Command.Name)
		}
	}
	return strings.Join(names, " ")
}

// say writes an error for people.
func say(w io.Writer, err error) {
	fmt.Fprintln(w, "starling:", err)
	var p *Problem
	if errors.As(err, &p) {
		for _, e := range p.Errors {
			fmt.Fprintln(w, "  "+e.String())
		}
		if p.advice != "" {
			fmt.Fprintln(w, "  "+p.advice)
		}
		if p.Status >= 500 && p.RequestID != "" {
			fmt.Fprintf(w, "  The server's log has more under request %s.\n", p.RequestID)
		}
	}
}

// readFile reads a file, or standard input for "-".
func (s *Streams) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(s.In)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return b, nil
}
