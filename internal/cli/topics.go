package cli

import "fmt"

// Program are the commands that need no server.
type Program struct {
	Delta      Delta      `cmd:"" help:"Make, sign, verify and apply patches between firmware images."`
	Completion Completion `cmd:"" group:"This program:" help:"Write the script that completes commands in a shell."`
	Topic      Topic      `cmd:"" name:"help" group:"This program:" help:"Explain exit codes, contexts or forms of output."`
	Complete   Complete   `cmd:"" name:"__complete" hidden:"" help:"Answer the script of a shell."`
}

// Topic is "help".
type Topic struct {
	Topic string `arg:"" default:"topics" enum:"topics,exit-codes,contexts,output" help:"Topic: ${enum}. For a command, use --help."`
}

// topics are the texts of "help".
var topics = map[string]string{
	"topics": `"starling --help" lists the commands, "starling COMMAND --help" explains one.

  starling help exit-codes  what a script can tell by the exit code
  starling help contexts    which server, and as whom
  starling help output      forms of output`,
	"exit-codes": `Exit codes, for scripts:

    0  done
    1  failed otherwise
    2  wrong use of the command, or of the configuration file
    3  there is no such thing
    4  conflict: exists already, in use, or changed meanwhile
    5  the server found something invalid
    6  not allowed: nobody is logged in, or a permission is missing
    7  timed out
    8  what was waited for, a campaign or a job, ended without success
  130  interrupted`,
	"contexts": (*Contexts)(nil).Help(),
	"output": `Data goes to standard output, messages go to standard error.

  -o table  columns for people; "-" stands for nothing
  -o wide   the same with more columns; "starling NOUN list --help" names them
  -o json   what the API answered
  -o yaml   the same as YAML; strings are quoted, so that 0123 and no stay strings
  -o csv    the columns of the table, for spreadsheets
  -o id     the identifier alone, one per line

Column names are those of the API and stay. Times are UTC, RFC 3339.`,
}

// Run writes the text.
func (t *Topic) Run(std *Streams) error {
	_, err := fmt.Fprintln(std.Out, topics[t.Topic])
	return err
}
