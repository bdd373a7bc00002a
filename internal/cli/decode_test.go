package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

func TestDecodeShowsTheCommandsOfAPayload(t *testing.T) {
	type grammar struct {
		Decode cli.Decode `cmd:""`
	}
	for _, tc := range []struct {
		args string
		code int
		out  string // exactly
		err  string // a part
	}{
		{"--port 201 --direction down --version 1 0100", 0, "FragSessionStatusReq index=0\n", ""},
		{"-p 201 -d down --version 1 01 0x00", 0, "FragSessionStatusReq index=0\n", ""},
		{"-p 17 -d down --version 1 --package fragmentation 01:00", 0, "FragSessionStatusReq index=0\n", ""},
		{"-p 200 -d up --version 1 02000400e80300", 0, "McGroupSetupAns group=0\nMcClassCSessionAns group=0 in=16m40s\n", ""},
		{"-p 202 -d up --version 1 000101", 0, "PackageVersionAns package=1 version=1\n", ""},
		{"-p 203 -d down --version 1 00", 0, "PackageVersionReq\n", ""},
		{"-p 225 -d down --version 1 81 00 83 01 00 02", 0, "token=2\n1:PackageVersionReq\n3:FragSessionStatusReq index=0\n", ""},
		{"-p 200 -d up --version 1 0200ff", cli.ExitInvalid, "McGroupSetupAns group=0\n", "invalid payload"},
		{"-p 200 -d up --version 1 02", cli.ExitInvalid, "", "McGroupSetupAns"},
		{"-p 225 -d down --version 1 81", cli.ExitInvalid, "", "invalid payload"},
		{"-p 17 -d down --version 1 00", cli.ExitUsage, "", "--package"},
		{"-p 200 -d down --version 3 00", cli.ExitUsage, "", "--version 3"},
		{"-p 200 -d down --version 1 xyz", cli.ExitUsage, "", "not hexadecimal"},
		{"-p 200 -d sideways --version 1 00", cli.ExitUsage, "", "must be one of"},
		{"-p 200 -d up 00", cli.ExitUsage, "", "--version"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(context.Background(), &grammar{}, append([]string{"decode"}, strings.Fields(tc.args)...), cli.Streams{Out: &out, Err: &errs})
		if code != tc.code || out.String() != tc.out || !strings.Contains(errs.String(), tc.err) || tc.code == 0 && errs.Len() > 0 {
			t.Errorf("decode %s: %d, %q, %q", tc.args, code, out.String(), errs.String())
		}
	}
}
