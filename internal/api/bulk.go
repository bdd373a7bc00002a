package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
)

const csvType = "text/csv"

// Bounds of what is told about bad rows, and of what is said about columns.
const (
	maxRowErrors = 100
	maxBadRows   = 64 << 20 // bytes; they are kept until the upload has been read
	maxMapped    = 256      // columns that a mapping names: as many as a row may have
)

// tableReport is what became of an import.
type tableReport struct {
	Format    string     `json:"format" enum:"reference,friendly" doc:"What the table was read as"`
	Mode      string     `json:"mode" enum:"all_or_nothing,good_rows"`
	DryRun    bool       `json:"dry_run" doc:"Whether nothing was to be written"`
	Rows      int        `json:"rows" doc:"Rows that were read"`
	Created   int        `json:"created" doc:"Rows whose object is new. This and updated say what was planned if written is 0"`
	Updated   int        `json:"updated" doc:"Rows that change an object"`
	Unchanged int        `json:"unchanged" doc:"Rows that say what is stored"`
	Failed    int        `json:"failed" doc:"Bad rows"`
	Written   int        `json:"written" doc:"Objects that have been stored"`
	Unknown   []string   `json:"unknown_columns" doc:"Columns of the header row that are not read"`
	Errors    []rowError `json:"errors" doc:"What is wrong with bad rows, the first 100; never what their cells hold"`
}

// rowError is one thing that is wrong with a row.
type rowError struct {
	Row    int    `json:"row" doc:"Line on which the row begins, as a text editor counts"`
	Column string `json:"column,omitempty" doc:"Letter, as in a spreadsheet" example:"AE"`
	Name   string `json:"name,omitempty" doc:"Field" example:"module_id"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty" doc:"What to do"`
}

// header returns the counts for an answer whose body is something else (RFC 8941 dictionary).
func (t *tableReport) header() string {
	return fmt.Sprintf("rows=%d, created=%d, updated=%d, unchanged=%d, failed=%d, written=%d",
		t.Rows, t.Created, t.Updated, t.Unchanged, t.Failed, t.Written)
}

// table is a kind of object that is imported and exported in bulk.
type table struct {
	plural  string
	read    func(context.Context, io.Reader, service.ImportOptions) (bulk.Report, error) // nil: they are not imported
	written func(context.Context, io.Writer, bulk.ExportOptions) (int, error)
	// whole says that there is a reference format beside the friendly one, and that there are keys.
	whole bool
}

// tables registers import and export. Both stream, as contents do.
func (a *api) tables() {
	s := a.Service
	for _, t := range []table{
		{"devices", s.ImportDevices, s.ExportDevices, true},
		{"device-sets", s.ImportDeviceSets, s.ExportDeviceSets, true},
		{"multicast-groups", s.ImportGroups, s.ExportGroups, true},
		{"regions", s.ImportRegions, s.ExportRegions, false},
		{"device-profiles", s.ImportProfiles, s.ExportProfiles, false},
		{"files", nil, s.ExportFiles, false},
		{"smart-delta-keys", nil, s.ExportSmartDeltaKeys, false},
		{"campaigns", nil, s.ExportCampaigns, false},
	} {
		a.table(t)
	}
}

func (a *api) table(t table) {
	report := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[tableReport](), true, "")
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	counts := &huma.Param{Description: "The counts of the report: rows, created, updated, unchanged, failed, written", Schema: &huma.Schema{Type: huma.TypeString}}
	name := words(t.plural)

	if t.read != nil {
		a.stream(identity.WriteFleet, &huma.Operation{OperationID: "import-" + t.plural, Method: http.MethodPost, Path: Prefix + "/" + t.plural + "/import", Tags: []string{t.plural},
			Summary: "Import " + name,
			Description: "Creates and changes what the rows of a table say. Bad rows are no problem document: the answer is 200 and counts them in `failed`. " +
				"With `Accept: text/csv` the answer is the bad rows themselves, as they were sent, with a column that says why; it holds the keys that were in them.",
			Parameters:  append(parameters(t.importChoices()), columnMap()),
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{csvType: text}},
			Responses: map[string]*huma.Response{
				"200": {Description: "OK", Headers: map[string]*huma.Param{"Import-Report": counts}, Content: map[string]*huma.MediaType{"application/json": {Schema: report}, csvType: text}}},
		}, func(w http.ResponseWriter, r *http.Request) error { return readTable(w, r, t) })
	}

	a.stream(identity.ReadFleet, &huma.Operation{OperationID: "export-" + t.plural, Method: http.MethodGet, Path: Prefix + "/" + t.plural + "/export", Tags: []string{t.plural},
		Summary: "Export " + name, Description: "All that are not archived, in a form that can be imported again. Columns of keys are empty unless asked for.",
		Parameters: parameters(t.exportChoices()),
		Responses:  map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{csvType: text}}},
	}, func(w http.ResponseWriter, r *http.Request) error { return a.writeTable(w, r, t) })
}

// choice is a query parameter with few values; the first is what holds without it.
type choice struct {
	name, doc string
	values    []string
}

var (
	tableFormat  = choice{"format", "Form of the table", []string{bulk.Detect.String(), bulk.Reference.String(), bulk.Friendly.String()}}
	importMode   = choice{"mode", "What bad rows do: keep everything from being stored, or only themselves", []string{"all_or_nothing", "good_rows"}}
	dryRun       = choice{"dry_run", "Say what would happen, and change nothing", []string{"false", "true"}}
	exportFormat = choice{"format", "Form of the table", []string{bulk.Friendly.String(), bulk.Reference.String()}}
	withKeys     = choice{"keys", "Keys in clear too: this needs the permission keys:reveal, and is in the audit log", []string{"false", "true"}}
)

// formats are those of tables by name.
var formats = map[string]bulk.Format{bulk.Detect.String(): bulk.Detect, bulk.Reference.String(): bulk.Reference, bulk.Friendly.String(): bulk.Friendly}

func (c choice) param() *huma.Param {
	s := &huma.Schema{Type: huma.TypeString, Default: c.values[0]}
	for _, v := range c.values {
		s.Enum = append(s.Enum, v)
	}
	if c.values[0] == "false" {
		s = &huma.Schema{Type: huma.TypeBoolean, Default: false}
	}
	return &huma.Param{Name: c.name, In: "query", Description: c.doc, Schema: s}
}

// importChoices are the parameters of an import of t, exportChoices those of an export.
func (t table) importChoices() []choice {
	format := tableFormat
	if !t.whole {
		format.values = []string{bulk.Detect.String(), bulk.Friendly.String()}
	}
	return []choice{format, importMode, dryRun}
}

func (t table) exportChoices() []choice {
	if !t.whole {
		return nil
	}
	return []choice{exportFormat, withKeys}
}

func parameters(choices []choice) []*huma.Param { return each(choices, choice.param) }

// columnMap says what the header row of a table calls our fields.
func columnMap() *huma.Param {
	return &huma.Param{Name: "map", In: "query", Description: "Which column of a friendly table is a field, such as dev_eui:EUI, repeated; :EUI leaves a column out",
		Schema: &huma.Schema{Type: huma.TypeArray, MaxItems: new(maxMapped), Items: &huma.Schema{Type: huma.TypeString, Pattern: "^[^:]*:.+$"}}, Explode: new(true)}
}

// takeColumns takes the map of columns out of a query.
func takeColumns(query url.Values) (map[string]string, error) {
	if len(query["map"]) > maxMapped {
		return nil, badParameter("query.map", "names more columns than a row may have", "name those that differ only")
	}
	columns, err := bulk.ParseColumns(query["map"]...)
	for _, f := range fleet.FieldErrors(err) {
		return nil, badParameter("query."+f.Field, f.Problem, f.Hint)
	}
	delete(query, "map")
	return columns, err
}

// choose returns which value each choice has in a query.
func choose(query url.Values, choices ...choice) ([]int, error) {
	picked := make([]int, len(choices))
	for name, values := range query {
		i := slices.IndexFunc(choices, func(c choice) bool { return c.name == name })
		if i < 0 {
			return nil, badParameter("query."+name, "is no parameter of this", "leave it out")
		}
		if picked[i] = slices.Index(choices[i].values, values[len(values)-1]); picked[i] < 0 {
			return nil, badParameter("query."+name, "has another value", "use "+strings.Join(choices[i].values, " or "))
		}
	}
	return picked, nil
}

// readTable imports the body and answers with the report, or with the bad rows.
func readTable(w http.ResponseWriter, r *http.Request, t table) error {
	query, choices := r.URL.Query(), t.importChoices()
	columns, err := takeColumns(query)
	if err != nil {
		return err
	}
	picked, err := choose(query, choices...)
	if err != nil {
		return err
	}
	opt := service.ImportOptions{Mode: bulk.Mode(picked[1]), DryRun: picked[2] == 1}
	opt.Columns = columns
	opt.Format = formats[choices[0].values[picked[0]]]
	out := tableReport{Mode: importMode.values[picked[1]], DryRun: opt.DryRun, Unknown: []string{}, Errors: []rowError{}}
	opt.Outcome = func(o bulk.Outcome) error {
		for _, e := range o.Errors[:min(len(o.Errors), maxRowErrors-len(out.Errors))] {
			out.Errors = append(out.Errors, rowError(e))
		}
		return nil
	}
	var bad badRows
	rowsWanted := accepts(r, csvType)
	if rowsWanted {
		opt.BadRows = &bad
	}
	done, err := t.read(r.Context(), body{r.Body}, opt)
	if err != nil {
		return interrupted(err, done)
	}
	out.Format, out.Unknown = done.Format.String(), append(out.Unknown, done.Unknown...)
	out.Rows, out.Created, out.Updated, out.Unchanged, out.Failed, out.Written = done.Rows, done.Created, done.Updated, done.Unchanged, done.Failed, done.Written
	w.Header().Set("Import-Report", out.header())
	w.Header().Set("Cache-Control", "no-store")
	if rowsWanted {
		w.Header().Set("Content-Type", csvType)
		_, err = bad.WriteTo(w)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

// accepts reports whether a client asks for a media type by its name.
func accepts(r *http.Request, media string) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if asked, _, err := mime.ParseMediaType(part); err == nil && asked == media {
			return true
		}
	}
	return false
}

// interrupted tells, with why an import ended early, what it had stored before.
func interrupted(err error, done bulk.Report) error {
	p := translate(err)
	if done.Written == 0 || p.Code == codeInternal {
		return err
	}
	p = newProblem(p.Code, p.Detail)
	p.Detail = strings.TrimSpace(fmt.Sprintf("%s %d objects were stored before that. The same table can be imported again.", p.Detail, done.Written))
	return p
}

// badRows keeps bad rows up to a bound.
type badRows struct{ bytes.Buffer }

func (b *badRows) Write(row []byte) (int, error) {
	if b.Len()+len(row) > maxBadRows {
		return 0, newProblem(codeTooLarge, "There are more bad rows than fit an answer. Leave out Accept: "+csvType+" to see what is wrong with the first.")
	}
	return b.Buffer.Write(row)
}

// writeTable exports.
func (a *api) writeTable(w http.ResponseWriter, r *http.Request, t table) error {
	picked, err := choose(r.URL.Query(), t.exportChoices()...)
	if err != nil {
		return err
	}
	opt := bulk.ExportOptions{Format: bulk.Friendly}
	if t.whole {
		opt.Format, opt.Keys = formats[exportFormat.values[picked[0]]], picked[1] == 1
	}
	if opt.Keys {
		w.Header().Set("Cache-Control", "no-store")
	}
	out := &attachment{ResponseWriter: w, name: t.plural + ".csv"}
	if _, err = t.written(r.Context(), out, opt); err == nil {
		_, err = out.Write(nil) // a table without rows has its headers all the same
	}
	if err != nil && out.begun {
		a.breakOff(r, "export", err)
	}
	return err
}

// attachment is a download whose headers are set by the first write: until then the
// answer can become a problem document.
type attachment struct {
	http.ResponseWriter
	name  string
	begun bool
}

// Write sets the headers at first, and passes b on.
func (a *attachment) Write(b []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.Header().Set("Content-Type", csvType)
		a.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.name}))
		a.Header().Set("X-Content-Type-Options", "nosniff")
	}
	return a.ResponseWriter.Write(b)
}
