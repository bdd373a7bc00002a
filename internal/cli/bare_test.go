package cli_test

import (
	"bytes"
	"context"
	"strings"

	"github.com/starling-fuota/starling/internal/cli"
)

// bare runs a command that must end with a code, in the environment as it is.
func (w *world) bare(code int, args ...string) result {
	w.Helper()
	return w.bareIn(code, "", args...)
}

// bareIn is bare with an input.
func (w *world) bareIn(code int, in string, args ...string) result {
	w.Helper()
	var out, errs bytes.Buffer
	got := cli.Run(context.Background(), &grammar{}, args, cli.Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
	if got != code {
		w.Fatalf("starling %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return result{got, out.String(), errs.String()}
}
