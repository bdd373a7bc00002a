//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the PostgreSQL that the tests of a package share.
var server struct {
	url     *url.URL // of a database to create others from
	private bool     // it goes when the tests end
	missing string   // why there is none
	names   atomic.Int64
}

// Main finds a server, runs the tests, stops the server if it is its own, and exits: TestMain
// calls it. The server is the one of TEST_DATABASE_URL, whose user may create databases, or a
// private one in a temporary directory.
func Main(m *testing.M) {
	stop, err := startServer()
	if err != nil {
		server.missing = err.Error()
		fmt.Fprintln(os.Stderr, "no PostgreSQL to test with:", err)
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func startServer() (stop func() error, err error) {
	none := func() error { return nil }
	if dsn := os.Getenv("TEST_DATABASE_URL"); dsn != "" {
		server.url, err = url.Parse(dsn)
		return none, err
	}
	initdb, postgres, err := programs()
	if err != nil {
		return none, err
	}
	dir, err := os.MkdirTemp("", "starling-pg-")
	if err != nil {
		return none, err
	}
	drop := func() error { return os.RemoveAll(dir) }
	as, err := unprivileged(dir)
	if err != nil {
		return drop, err
	}
	run := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C.UTF-8")
		cmd.SysProcAttr = as
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run(initdb, "-D", data, "-U", "starling", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return drop, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return drop, err
	}
	cluster := run(postgres, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=200", "-c", "shared_buffers=128MB")
	cluster.Stdout, cluster.Stderr = log, log
	if err := cluster.Start(); err != nil {
		return drop, errors.Join(err, log.Close())
	}
	stop = func() error {
		err := cluster.Process.Signal(syscall.SIGQUIT) // "immediate shutdown": what it holds is dropped anyway
		return errors.Join(err, cluster.Wait(), log.Close(), drop())
	}
	server.private = true
	server.url = &url.URL{Scheme: "postgres", User: url.User("starling"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	for patience := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), server.url.String())
		if err == nil {
			return stop, conn.Close(context.Background())
		}
		if time.Now().After(patience) {
			said, _ := os.ReadFile(log.Name())
			return stop, fmt.Errorf("no answer from %s: %w\n%s", postgres, err, said)
		}
	}
}

// programs finds initdb and postgres. Debian keeps them out of the PATH.
func programs() (initdb, postgres string, err error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(dirs)
	slices.Reverse(dirs)
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), dirs...) {
		initdb, postgres = filepath.Join(dir, "initdb"), filepath.Join(dir, "postgres")
		_, noInitdb := os.Stat(initdb)
		_, noPostgres := os.Stat(postgres)
		if noInitdb == nil && noPostgres == nil {
			return initdb, postgres, nil
		}
	}
	return "", "", errors.Join(errors.New("initdb and postgres are neither in PATH nor in /usr/lib/postgresql: install postgresql, or set TEST_DATABASE_URL"), err)
}

// unprivileged returns as whom to run the server, which refuses to run as root, and gives him dir.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

// NewDatabase creates a database, a copy of the one named from if that is not "", and drops it when the test ends.
func NewDatabase(t testing.TB, from string) string {
	t.Helper()
	if server.missing != "" {
		t.Skip("no PostgreSQL to test with") // Main has said what is missing, and has failed in CI
	}
	name := fmt.Sprintf("starling_test_%d_%d", os.Getpid(), server.names.Add(1))
	create := "CREATE DATABASE " + name
	if from != "" {
		create += " TEMPLATE " + from
	}
	admin(t, create)
	if !server.private {
		t.Cleanup(func() { admin(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	}
	return name
}

// URL returns the DSN of a database of the server.
func URL(database string) string {
	u := *server.url
	u.Path = "/" + database
	return u.String()
}

func admin(t testing.TB, query string) {
	t.Helper()
	conn := Connect(t, strings.TrimPrefix(server.url.Path, "/"))
	_, err := conn.Exec(context.Background(), query)
	if err = errors.Join(err, conn.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
}

// Connect opens a connection to a database of the server. The caller closes it.
func Connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), URL(database))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
