package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/logs"
)

// The key of RFC 4493, in the spellings that people use.
const (
	hexKey    = "2b7e151628aed2a6abf7158809cf4f3c"
	base64Key = "K34VFiiu0qar9xWICc9PPA=="
	token     = "stl_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	pem       = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n"
)

var rawKey = [16]byte{0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c}

// line returns the one line that f logs.
func line(json bool, f func(*slog.Logger)) string {
	var out bytes.Buffer
	f(logs.New(&out, slog.LevelDebug, json))
	return out.String()
}

// bothForms runs a check on text and on JSON.
func bothForms(t *testing.T, f func(*slog.Logger), check func(t *testing.T, line string)) {
	t.Helper()
	for name, json := range map[string]bool{"text": false, "JSON": true} {
		t.Run(name, func(t *testing.T) { check(t, line(json, f)) })
	}
}

type connection struct {
	Host     string            `json:"host"`
	Password string            `json:"password"`
	Keys     map[string]string `json:"keys"`
	Labels   map[string]string `json:"labels"`
	Nested   *connection       `json:"nested,omitempty"`
	Raw      [16]byte          `json:"raw"`
	hidden   string
}

type speaking struct{ text string }

func (s speaking) String() string { return s.text }

type marshalling struct{ text string }

func (m marshalling) MarshalText() ([]byte, error) { return []byte(m.text), nil }

type resolving struct{}

func (resolving) LogValue() slog.Value {
	return slog.GroupValue(slog.String("root_key", "hunter2"), slog.String("note", hexKey))
}

type broken struct{ name *string }

func (b *broken) String() string { return *b.name }

func TestSecretsAreNotWritten(t *testing.T) {
	const word = "hunter2" // a secret without a shape
	for name, f := range map[string]func(*slog.Logger){
		"name key":              func(l *slog.Logger) { l.Info("m", "key", word) },
		"name *_key":            func(l *slog.Logger) { l.Info("m", "app_s_key", word) },
		"name in camel case":    func(l *slog.Logger) { l.Info("m", "appSKey", word) },
		"name in capitals":      func(l *slog.Logger) { l.Info("m", "ROOT_KEY", word) },
		"name with dashes":      func(l *slog.Logger) { l.Info("m", "Idempotency-Key", word) },
		"name keys":             func(l *slog.Logger) { l.Info("m", "group_keys", word) },
		"name password":         func(l *slog.Logger) { l.Info("m", "new_password", word) },
		"name password_hash":    func(l *slog.Logger) { l.Info("m", "passwordHash", word) },
		"name secret":           func(l *slog.Logger) { l.Info("m", "client.secret", word) },
		"name token":            func(l *slog.Logger) { l.Info("m", "TOKEN", word) },
		"name tokenid":          func(l *slog.Logger) { l.Info("m", "tokenid", word) },
		"name authorization":    func(l *slog.Logger) { l.Info("m", "Proxy-Authorization", word) },
		"name cookie":           func(l *slog.Logger) { l.Info("m", "Set-Cookie", word) },
		"name private":          func(l *slog.Logger) { l.Info("m", "private_part", word) },
		"long name":             func(l *slog.Logger) { l.Info("m", strings.Repeat("x", 100)+"_key", word) },
		"number":                func(l *slog.Logger) { l.Info("m", "secret", 31415926) },
		"duration":              func(l *slog.Logger) { l.Info("m", "secret", 31415926*time.Nanosecond) },
		"in a group":            func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Group("h", "key", word))) },
		"group is a secret":     func(l *slog.Logger) { l.Info("m", slog.Group("secret", "x", word)) },
		"With":                  func(l *slog.Logger) { l.With("key", word, "note", hexKey).Info("m") },
		"WithGroup":             func(l *slog.Logger) { l.WithGroup("credentials").Info("m", "x", word) },
		"LogValuer":             func(l *slog.Logger) { l.Info("m", "device", resolving{}) },
		"map":                   func(l *slog.Logger) { l.Info("m", "x", map[string]any{"a": map[string]string{"api_key": word}}) },
		"map with a key's name": func(l *slog.Logger) { l.Info("m", "x", map[string]int{hexKey: 1}) },
		"struct":                func(l *slog.Logger) { l.Info("m", "x", connection{Password: word, hidden: word}) },
		"pointer":               func(l *slog.Logger) { l.Info("m", "x", &connection{Nested: &connection{Password: word}}) },
		"named map in struct":   func(l *slog.Logger) { l.Info("m", "x", connection{Keys: map[string]string{"a": word}}) },
		"value in struct":       func(l *slog.Logger) { l.Info("m", "x", connection{Labels: map[string]string{"a": hexKey}}) },
		"array in struct":       func(l *slog.Logger) { l.Info("m", "x", connection{Raw: rawKey}) },
		"array":                 func(l *slog.Logger) { l.Info("m", "x", rawKey) },
		"bytes":                 func(l *slog.Logger) { l.Info("m", "x", rawKey[:]) },
		"bytes in a slice":      func(l *slog.Logger) { l.Info("m", "x", [][]byte{rawKey[:]}) },
		"header":                func(l *slog.Logger) { l.Info("m", "x", http.Header{"Authorization": {"Basic " + word}}) },
		"URL": func(l *slog.Logger) {
			l.Info("m", "x", &url.URL{Scheme: "https", Host: "h", User: url.UserPassword("u", word)})
		},
		"attribute's name":    func(l *slog.Logger) { l.Info("m", hexKey, 1) },
		"message":             func(l *slog.Logger) { l.Info("root key is " + hexKey) },
		"error":               func(l *slog.Logger) { l.Info("m", "error", fmt.Errorf("key %x: %w", rawKey, io.EOF)) },
		"joined errors":       func(l *slog.Logger) { l.Info("m", "error", errors.Join(io.EOF, errors.New("Bearer "+word))) },
		"Stringer":            func(l *slog.Logger) { l.Info("m", "x", speaking{"is " + hexKey}) },
		"TextMarshaler":       func(l *slog.Logger) { l.Info("m", "x", marshalling{"is " + hexKey}) },
		"JSON in a string":    func(l *slog.Logger) { l.Info("m", "body", `{"x":"`+hexKey+`"}`) },
		"hex in capitals":     func(l *slog.Logger) { l.Info("m", "x", strings.ToUpper(hexKey)) },
		"hex with colons":     func(l *slog.Logger) { l.Info("m", "x", "2b:7e:15:16:28:ae:d2:a6:ab:f7:15:88:09:cf:4f:3c") },
		"hex with dashes":     func(l *slog.Logger) { l.Info("m", "x", "<2B7E-1516-28AE-D2A6-ABF7-1588-09CF-4F3C>") },
		"hex in a digest":     func(l *slog.Logger) { l.Info("m", "sha256", hexKey) },
		"hex behind a UUID":   func(l *slog.Logger) { l.Info("m", "x", "01a208ed-4142-73ca-896f-076b059ec58d-"+hexKey) },
		"base64":              func(l *slog.Logger) { l.Info("m", "x", "is "+base64Key) },
		"base64 for URLs":     func(l *slog.Logger) { l.Info("m", "x", "is -34VFiiu0qar9xWICc9P_A==") },
		"base64 without =":    func(l *slog.Logger) { l.Info("m", "x", "is "+strings.TrimRight(base64Key, "=")) },
		"token":               func(l *slog.Logger) { l.Info("m", "x", "use "+token+" here") },
		"session":             func(l *slog.Logger) { l.Info("m", "x", strings.Replace(token, "stl", "sts", 1)) },
		"token as request id": func(l *slog.Logger) { l.Info("m", "request_id", token) },
		"PEM":                 func(l *slog.Logger) { l.Info("m", "x", "have "+pem) },
		"half a PEM":          func(l *slog.Logger) { l.Info("m", "x", pem[:40]) },
		"Bearer":              func(l *slog.Logger) { l.Info("m", "x", "authorization: bearer  "+word) },
		"Bearer twice":        func(l *slog.Logger) { l.Info("m", "x", "Bearer Bearer "+word) },
		"postgres URL":        func(l *slog.Logger) { l.Info("m", "x", "postgres://u:"+word+"@h/db") },
		"postgres URL that cannot be read": func(l *slog.Logger) {
			l.Info("m", "error", errors.New(`parse "postgresql://u:hunter2@ hunter2/x@h/db": invalid`))
		},
		"connection string": func(l *slog.Logger) { l.Info("m", "x", "host=h password='"+word+"' user=u") },
	} {
		t.Run(name, func(t *testing.T) {
			bothForms(t, f, func(t *testing.T, line string) {
				for _, secret := range []string{word, "31415926", "31.415926", hexKey, strings.ToUpper(hexKey), "2b:7e:15", "2B7E-1516", "43,126,21",
					"K34VFiiu", "34VFiiu0", "AAECAwQF", "MIGHAgEA"} {
					if strings.Contains(line, secret) {
						t.Errorf("%q is in %s", secret, line)
					}
				}
				if !strings.Contains(line, "[redacted]") {
					t.Errorf("nothing was redacted in %s", line)
				}
			})
		})
	}
}

func TestWhatPeopleNeedStaysReadable(t *testing.T) {
	const id, digest = "01a208ed-4142-73ca-896f-076b059ec58d", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for name, c := range map[string]struct {
		f    func(*slog.Logger)
		want string
	}{
		"UUID":               {func(l *slog.Logger) { l.Info("m", "campaign", id) }, id},
		"UUID in a message":  {func(l *slog.Logger) { l.Info("campaign " + id + " ended") }, "campaign " + id + " ended"},
		"UUID behind a word": {func(l *slog.Logger) { l.Info("m", "x", "device-"+id) }, "device-" + id},
		"UUID in a path":     {func(l *slog.Logger) { l.Info("m", "path", "/api/v1/campaigns/"+id+"/events") }, "/api/v1/campaigns/" + id + "/events"},
		"request id":         {func(l *slog.Logger) { l.Info("m", "request_id", "4bf92f3577b34da6a3ce929d0e0e4736") }, "4bf92f3577b34da6a3ce929d0e0e4736"},
		"digest":             {func(l *slog.Logger) { l.Info("m", "content_sha256", digest) }, digest},
		"digest in a struct": {func(l *slog.Logger) { l.Info("m", "x", map[string]string{"sha256": digest}) }, digest},
		"commit":             {func(l *slog.Logger) { l.Info("m", "commit", digest[:40]) }, digest[:40]},
		"DevEUI":             {func(l *slog.Logger) { l.Info("m", "dev_eui", "0004a30b00112233") }, "0004a30b00112233"},
		"several DevEUIs":    {func(l *slog.Logger) { l.Info("m", "x", []string{"0004a30b00112233", "0004a30b00112234"}) }, "0004a30b00112234"},
		"token_id":           {func(l *slog.Logger) { l.Info("m", "token_id", id) }, id},
		"rootKeySet":         {func(l *slog.Logger) { l.Info("m", "rootKeySet", "yes") }, "yes"},
		"secret_set":         {func(l *slog.Logger) { l.Info("m", "secret_set", "yes") }, "yes"},
		"long path": {func(l *slog.Logger) {
			l.Info("m", "x", "/var/lib/Starling2/contents/aa/and/so/on/for/a/while/and/more")
		}, "/var/lib/Starling2/contents/aa"},
		"long word":           {func(l *slog.Logger) { l.Info("m", "x", "TestSetupIsRetriedUntilPatienceEnds") }, "TestSetupIsRetriedUntilPatienceEnds"},
		"metric":              {func(l *slog.Logger) { l.Info("m", "x", "fuota_http_requests_total") }, "fuota_http_requests_total"},
		"URL":                 {func(l *slog.Logger) { l.Info("m", "x", "http://127.0.0.1:8080/a@b") }, "http://127.0.0.1:8080/a@b"},
		"user and host":       {func(l *slog.Logger) { l.Info("m", "x", "postgres://u:hunter2@h:5432/db") }, "postgres://u:[redacted]@h:5432/db"},
		"text around":         {func(l *slog.Logger) { l.Info("m", "x", "the key "+hexKey+" is old") }, "the key [redacted] is old"},
		"two of a kind":       {func(l *slog.Logger) { l.Info(hexKey + " and " + base64Key + ".") }, "[redacted] and [redacted]."},
		"short bytes in text": {func(l *slog.Logger) { l.Info("m", "x", fmt.Sprintf("%x", rawKey[:15])) }, hexKey[:30]},
		"a group's name":      {func(l *slog.Logger) { l.Info("m", slog.Group("network", "name", "ttn")) }, "network"},
		"a nil method":        {func(l *slog.Logger) { l.Info("m", "x", &broken{}) }, "PANIC"},
		"a function":          {func(l *slog.Logger) { l.Info("m", "x", func() {}) }, "unsupported type"},
		"a nil":               {func(l *slog.Logger) { l.Info("m", "x", nil) }, "x"},
		"a level":             {func(l *slog.Logger) { l.Info("m", "x", slog.LevelWarn) }, "WARN"},
	} {
		t.Run(name, func(t *testing.T) {
			bothForms(t, c.f, func(t *testing.T, line string) {
				if !strings.Contains(line, c.want) {
					t.Errorf("want %q in %s", c.want, line)
				}
			})
		})
	}
}

func TestALineHasTimeLevelAndMessage(t *testing.T) {
	got := line(true, func(l *slog.Logger) {
		l.Warn("disk is full", "at", time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600)))
	})
	var fields struct {
		TS, At time.Time
		Level  string
		Msg    string
	}
	if err := json.Unmarshal([]byte(got), &fields); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if fields.Level != "WARN" || fields.Msg != "disk is full" || fields.TS.IsZero() || !strings.HasPrefix(got, `{"ts":"`) {
		t.Errorf("line is %s", got)
	}
	if !strings.Contains(got, `"at":"2026-01-02T03:04:05Z"`) || fields.TS.Location() != time.UTC {
		t.Errorf("times are not in UTC: %s", got)
	}
	text := line(false, func(l *slog.Logger) { l.Warn("disk is full") })
	if !strings.HasPrefix(text, "ts=") || !strings.HasSuffix(text, `Z level=WARN msg="disk is full"`+"\n") {
		t.Errorf("line is %s", text)
	}
}

func TestStructsKeepTheirForm(t *testing.T) {
	got := line(true, func(l *slog.Logger) {
		l.Info("m", "x", map[string]any{"a": 1.5, "big": int64(1) << 60, "c": nil, "d": []bool{true}})
	})
	if want := `"x":{"a":1.5,"big":1152921504606846976,"c":null,"d":[true]}`; !strings.Contains(got, want) {
		t.Errorf("want %s in %s", want, got)
	}
}

func TestLevelChangesWhileRunning(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	log := logs.New(&out, &level, false)
	log.Debug("before")
	level.Set(slog.LevelDebug)
	log.Debug("after")
	if got := out.String(); strings.Contains(got, "before") || !strings.Contains(got, "after") {
		t.Errorf("got %s", got)
	}
}

// asItIs is slog with a hook that does nothing: even that costs one small allocation.
func asItIs() *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return a }}))
}

func TestRedactionOfAPlainRecordTakesNoMemory(t *testing.T) {
	hook, ours := asItIs(), logs.New(io.Discard, slog.LevelInfo, true)
	floor := testing.AllocsPerRun(100, func() { plainRecord(hook) })
	if n := testing.AllocsPerRun(100, func() { plainRecord(ours) }); n > floor {
		t.Errorf("%v allocations, slog alone has %v", n, floor)
	}
}

// plainRecord logs what most lines look like. Five attributes fit into a record.
func plainRecord(log *slog.Logger) {
	log.LogAttrs(context.Background(), slog.LevelInfo, "campaign changed stage", slog.String("campaign", "meters, north"),
		slog.String("stage", "multicast_setup"), slog.Int("devices", 1200), slog.Duration("took", 3*time.Second), slog.String("dev_eui", "0004a30b00112233"))
}

func BenchmarkPlainRecord(b *testing.B) {
	for name, log := range map[string]*slog.Logger{
		"slog":     slog.New(slog.NewJSONHandler(io.Discard, nil)),
		"hook":     asItIs(),
		"redacted": logs.New(io.Discard, slog.LevelInfo, true),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plainRecord(log)
			}
		})
	}
}

func BenchmarkRecordWithSecrets(b *testing.B) {
	log := logs.New(io.Discard, slog.LevelInfo, true)
	b.ReportAllocs()
	for b.Loop() {
		log.Info("connecting", "url", "postgres://u:hunter2@h/db", "root_key", hexKey)
	}
}
