package apidocs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/starling-fuota/starling/internal/apidocs"
)

// document is small and has what OpenAPI 3.1 brought: null among types, const, examples, a licence identifier.
const document = `{
  "openapi": "3.1.0",
  "info": {"title": "Nest", "version": "1", "description": "What birds do.", "license": {"name": "MIT", "identifier": "MIT"}},
  "components": {
    "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    "schemas": {"Bird": {"type": "object", "properties": {"name": {"type": ["string", "null"], "examples": ["robin"]}, "kind": {"const": "bird"}}}}
  },
  "security": [{"bearer": []}],
  "paths": {"/birds": {"get": {"operationId": "list-birds", "tags": ["birds"], "summary": "List the birds",
    "parameters": [{"name": "limit", "in": "query", "schema": {"type": ["integer", "null"], "minimum": 1}}],
    "responses": {"200": {"description": "Birds", "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Bird"}}}}}}}}}
}`

// hostile is what somebody could bring into a description who may not run scripts. %s is
// a server elsewhere.
const hostile = `![x](%[1]s/picture) <script>window.taken = 1</script><img src='%[1]s/image' onerror='window.taken = 1'>` +
	`<style>@import '%[1]s/style'; body { display: none }</style><iframe src='%[1]s/frame'></iframe>[x](javascript:window.taken=1)`

// browser returns a context with a headless Chromium, or ends the test where there is none:
// with CI=true as a failure.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chromium: install Debian's package of this name")
		}
		t.Skip("no chromium, so the page is not looked at in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		// No name but this machine's resolves: whoever asks elsewhere is seen and gets nothing.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"))
	if os.Geteuid() == 0 { // the sandbox refuses root, who runs in containers
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// observer notes what a page asks for and complains of.
type observer struct {
	host string

	mu       sync.Mutex
	requests []string
	trouble  []string
}

func (o *observer) see(ev any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		o.requests = append(o.requests, ev.Request.URL)
		if u, err := url.Parse(ev.Request.URL); err != nil || u.Scheme != "data" && u.Host != o.host {
			o.trouble = append(o.trouble, "asked for "+ev.Request.URL)
		}
	case *network.EventLoadingFailed:
		o.trouble = append(o.trouble, fmt.Sprintf("%s was not loaded: %s %s", ev.Type, ev.ErrorText, ev.BlockedReason))
	case *log.EventEntryAdded:
		if ev.Entry.Level != "info" && ev.Entry.Level != "verbose" {
			o.trouble = append(o.trouble, fmt.Sprintf("%s: %s", ev.Entry.Source, ev.Entry.Text))
		}
	case *runtime.EventExceptionThrown:
		o.trouble = append(o.trouble, "exception: "+ev.ExceptionDetails.Text)
	}
}

// show opens the page with the document in the browser.
func show(t *testing.T, ctx context.Context, document string) *observer { //nolint:revive // t comes first in tests
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/docs", apidocs.Handler("openapi.json"))
	mux.Handle("/docs/", apidocs.Handler("openapi.json"))
	mux.HandleFunc("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = io.WriteString(w, document)
	})
	mux.HandleFunc("/birds", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `[{"name":"hoopoe"}]`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	seen := &observer{host: strings.TrimPrefix(server.URL, "http://")}
	if err := chromedp.Listen(ctx, seen.see); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(server.URL+"/docs"), chromedp.WaitVisible(".opblock-tag"))
	return seen
}

// do runs steps of which none may take long.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // t comes first in tests
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// patience is much more than a step takes on a busy machine.
const patience = 30 * time.Second

func evaluate[T comparable](t *testing.T, ctx context.Context, expression string, want T) { //nolint:revive // t comes first in tests
	t.Helper()
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression)); err != nil || got != want {
		t.Errorf("%s is %v (%v), want %v", expression, got, err, want)
	}
}

func TestThePageShowsAnOperationAndTalksToNobodyElse(t *testing.T) {
	ctx := browser(t)
	seen := show(t, ctx, document)
	do(t, ctx, chromedp.Click(".opblock-tag"), chromedp.WaitVisible("#operations-birds-list-birds"),
		chromedp.Click("#operations-birds-list-birds .opblock-summary-control"), chromedp.WaitVisible(".try-out__btn"),
		chromedp.Click(".try-out__btn"), chromedp.WaitVisible(".execute"), chromedp.Click(".execute"), chromedp.WaitVisible(".live-responses-table"))
	evaluate(t, ctx, `document.querySelector(".opblock-summary-operation-id").textContent`, "list-birds")
	evaluate(t, ctx, `document.querySelector(".live-responses-table").textContent.includes("hoopoe")`, true)
	evaluate(t, ctx, `document.body.textContent.includes("OAS 3.1")`, true)
	evaluate(t, ctx, `document.querySelectorAll(".errors-wrapper").length`, 0)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.trouble) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(seen.trouble, "\n"))
	}
	if len(seen.requests) < 7 { // page, four assets, the document, the birds
		t.Errorf("only %q were asked for: the observer is blind", seen.requests)
	}
}

func TestADescriptionRunsNothingAndReachesNobody(t *testing.T) {
	ctx := browser(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked for elsewhere", r.URL) }))
	defer elsewhere.Close()
	text, err := json.Marshal(fmt.Sprintf(hostile, elsewhere.URL))
	if err != nil {
		t.Fatal(err)
	}
	show(t, ctx, strings.ReplaceAll(document, `"What birds do."`, string(text)))
	do(t, ctx, chromedp.WaitVisible(".info .description"))
	evaluate(t, ctx, `typeof window.taken`, "undefined")
	evaluate(t, ctx, `getComputedStyle(document.body).display`, "block")
}
