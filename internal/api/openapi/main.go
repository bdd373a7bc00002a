// Command openapi writes the OpenAPI document of the API to a file, for "go generate".
//
//	openapi ../../docs/openapi.json
//
// It starts no server: the document is made of the types that the server works with.
package main

import (
	"fmt"
	"os"

	"github.com/starling-fuota/starling/internal/api"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments, want the file to write", len(args))
	}
	document, err := api.Document()
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], document, 0o644)
}
