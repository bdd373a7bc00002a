package bulk_test

import (
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/bulk"
)

// device returns a row of the reference format: cells are letters and values, over a good row.
func device(cells ...string) string {
	row := make([]string, 32)
	for i := 0; i < len(cells); i += 2 {
		row[columnIndex(cells[i])] = cells[i+1]
	}
	for letter, cell := range map[string]string{"B": "0004a30b00119901", "W": "LORAWAN_1_0", "AD": "ACME", "AE": "M1", "AF": "2"} {
		if i := columnIndex(letter); row[i] == "" {
			row[i] = cell
		}
	}
	return strings.ReplaceAll(strings.Join(row, ","), "EMPTY", "") + "\r\n"
}

func columnIndex(letters string) int {
	n := 0
	for _, c := range letters {
		n = n*26 + int(c-'A'+1)
	}
	return n - 1
}

func multicastGroup(cells ...string) string {
	row := strings.Split("70b3d57ed0000009,C,,0a0b0c0d,869525000,3,EU868,ONE_TO_TWO,false,,,,", ",")
	for i := 0; i < len(cells); i += 2 {
		row[columnIndex(cells[i])] = cells[i+1]
	}
	return strings.Join(row, ",") + "\n"
}

const key = "8e506b852f760ad66734c3a8d8ac639b"

// TestEveryColumnIsChecked has a row per rule of a column: what stands in front of the
// colon of the only error, or "" for a good row.
func TestEveryColumnIsChecked(t *testing.T) {
	long := strings.Repeat("x", 201)
	for _, c := range []struct{ kind, row, want string }{
		{"devices", device(), ""},
		{"devices", device("A", "ignored", "C", "ignored", "V", "ignored", "Z", "ignored"), ""},
		{"devices", device("B", "EMPTY"), "column B (dev_eui): is empty"},
		{"devices", device("B", "00:04:A3:0B:00:11:99:01"), ""},
		{"devices", device("B", "4a30b00119901"), "column B (dev_eui): has 13 hexadecimal digits"},
		{"devices", device("B", "1.23457E+15"), "column B (dev_eui): is a number as a spreadsheet shows it"},
		{"devices", device("B", "0004a30b0011990g"), "column B (dev_eui): holds a character"},
		{"devices", device("B", "0000000000000000"), "column B (dev_eui): is all zeros"},
		{"devices", device("B", key), "column B (dev_eui): has 32 hexadecimal digits"},
		{"devices", device("K", "Zähler"), ""},
		{"devices", device("K", long), "column K (name): is longer"},
		{"devices", device("K", "a\tb"), "column K (name): holds control characters"},
		{"devices", device("W", "EMPTY"), "column W (lorawan_version): is empty"},
		{"devices", device("W", "LORAWAN_2_0"), "column W (lorawan_version): is no LoRaWAN version"},
		{"devices", device("W", "LORAWAN_1_1", "X", key), ""},
		{"devices", device("X", key), "column X (app_key): is the key of the other"},
		{"devices", device("X", key, "Y", key), ""},
		{"devices", device("X", key[:31]), "column X (app_key): has 31 hexadecimal digits"},
		{"devices", device("Y", key), ""},
		{"devices", device("Y", key+"00"), "column Y (gen_app_key): has 34 hexadecimal digits"},
		{"devices", device("Y", strings.Repeat("0", 32)), "column Y (gen_app_key): is all zeros"},
		{"devices", device("W", "LORAWAN_1_1", "Y", key), "column Y (gen_app_key): is the key of the other"},
		{"devices", device("AA", "B"), ""},
		{"devices", device("AA", `"C, B"`), ""},
		{"devices", device("AA", "A"), "column AA (classes): is no multicast class"},
		{"devices", device("AB", long), "column AB (tag): is longer"},
		{"devices", device("AC", "1.2.3.4"), ""},
		{"devices", device("AC", "1.2.3"), "column AC (firmware): is no firmware version"},
		{"devices", device("AC", "1.2.3.256"), "column AC (firmware): is no firmware version"},
		{"devices", device("AD", "EMPTY"), "column AD (producer_id): is empty"},
		{"devices", device("AD", "NOBODY"), "column AD (producer_id): leads, with module_id and hw_revision, to no device profile"},
		{"devices", device("AE", "EMPTY"), "column AE (module_id): is empty"},
		{"devices", device("AE", "M0", "AF", "0"), "column AD (producer_id): leads, with module_id and hw_revision, to an archived"},
		{"devices", device("AF", "EMPTY"), "column AF (hw_revision): is empty"},
		{"devices", device("AF", "256"), "column AF (hw_revision): is not a whole number"},
		{"devices", "a,b,c\n", "has 3 columns where 32 are expected"},

		{"sets", "New,text,0004a30b00112201;0004a30b00112203;\n", ""},
		{"sets", ",text,0004a30b00112201\n", "column A (name): is empty"},
		{"sets", long + ",,0004a30b00112201\n", "column A (name): is longer"},
		{"sets", "New," + strings.Repeat("x", 4001) + ",0004a30b00112201\n", "column B (description): is longer"},
		{"sets", "New,,\n", "column C (devices): is empty"},
		{"sets", "New,,0004a30b00112201;0004\n", "column C (devices): number 2 has 4 hexadecimal digits"},
		{"sets", "New,,0004a30b00112201;00000000000000ff\n", "column C (devices): number 2 is no device"},
		{"sets", "New,,0004a30b00112201;0004a30b00112201\n", "column C (devices): devices[1] is in the list twice"},
		{"sets", "New,0004a30b00112201\n", "has 2 columns where 3"},

		{"groups", multicastGroup(), ""},
		{"groups", strings.TrimSpace(multicastGroup()) + ",anything,else\n", ""},
		{"groups", multicastGroup("A", ""), "column A (dev_eui): is empty"},
		{"groups", multicastGroup("B", ""), "column B (session_class): is empty"},
		{"groups", multicastGroup("B", "A"), "column B (session_class): is no multicast class"},
		{"groups", multicastGroup("C", key), ""},
		{"groups", multicastGroup("C", "x"+key[1:]), "column C (mc_key): holds a character"},
		{"groups", multicastGroup("D", ""), "column D (mc_addr): is empty"},
		{"groups", multicastGroup("D", "0a0b0c"), "column D (mc_addr): has 6 hexadecimal digits"},
		{"groups", multicastGroup("E", ""), "column E (frequency): is empty"},
		{"groups", multicastGroup("E", "869.525"), "column E (frequency): is not a whole number"},
		{"groups", multicastGroup("E", "869525"), "column E (frequency): is not a frequency in Hz"},
		{"groups", multicastGroup("E", "0"), "column E (frequency): is missing"},
		{"groups", multicastGroup("B", "B", "E", "0"), ""},
		{"groups", multicastGroup("F", ""), "column F (data_rate): is empty"},
		{"groups", multicastGroup("F", "DR5"), ""},
		{"groups", multicastGroup("F", "16"), "column F (data_rate): is not a whole number within 0 to 15"},
		{"groups", multicastGroup("G", ""), "column G (band): is empty"},
		{"groups", multicastGroup("G", "EU999"), "column G (band): is no band"},
		{"groups", multicastGroup("H", ""), "column H (redundancy): is empty"},
		{"groups", multicastGroup("H", "HALF"), "column H (redundancy): is no redundancy"},
		{"groups", multicastGroup("I", ""), "column I (dwell_time): is empty"},
		{"groups", multicastGroup("I", "1"), ""},
		{"groups", multicastGroup("I", "maybe"), "column I (dwell_time): does not say"},
		{"groups", multicastGroup("J", "64"), ""},
		{"groups", multicastGroup("J", "3"), "column J (ping_slot_periodicity_s): is no ping slot periodicity"},
		{"groups", multicastGroup("K", long), "column K (name): is longer"},
		{"groups", multicastGroup("L", long), "column L (tag): is longer"},
		{"groups", multicastGroup("M", "12"), ""},
		{"groups", multicastGroup("M", "-1"), "column M (f_cnt_down): is not a whole number"},
		{"groups", "70b3d57ed0000009,C\n", "has 2 columns where 13"},
	} {
		r := plan(t, filled(t).importer(c.kind), c.row, bulk.Options{Format: bulk.Reference})
		got := strings.Join(r.errors(), "\n")
		if c.want == "" {
			if r.Created != 1 {
				t.Errorf("%s %q: %s", c.kind, c.row, got)
			}
			continue
		}
		if len(r.errors()) != 1 || !strings.Contains(got, c.want) || !strings.HasPrefix(got, "row 1") {
			t.Errorf("%s %q:\ngot  %s\nwant %s", c.kind, c.row, got, c.want)
		}
	}
}

func TestErrorsNeverRepeatAKey(t *testing.T) {
	for letter := range 32 {
		var name string
		if name = string(rune('A' + letter)); letter >= 26 {
			name = "A" + string(rune('A'+letter-26))
		}
		for _, bad := range []string{key, key + "0", "0x" + key, strings.ToUpper(key)} {
			r := plan(t, newServer().importer("devices"), device(name, bad), bulk.Options{})
			for _, e := range r.errors() {
				if strings.Contains(strings.ToLower(e), key[:8]) {
					t.Errorf("column %s: %s", name, e)
				}
			}
		}
	}
	r := plan(t, newServer().importer("devices"), "dev_eui,"+key+"\n"+key+",x\n", bulk.Options{})
	if all := strings.Join(append(r.errors(), r.Unknown...), " "); strings.Contains(all, key[:8]) {
		t.Error(all)
	}
}

func TestDuplicatesNameTheFirstRow(t *testing.T) {
	for _, c := range []struct{ kind, file, want string }{
		{"devices", device() + "\r\n" + device("K", "another"), "row 3, column B (dev_eui): is the same as in row 1"},
		{"sets", "New,\"two\nlines\",0004a30b00112201\nNew,,0004a30b00112201\n", "row 3, column A (name): is the same as in row 1"},
		{"groups", multicastGroup() + multicastGroup("A", "70b3d57ed000000a"), "row 2, column D (mc_addr): is the same as in row 1"},
	} {
		r := plan(t, filled(t).importer(c.kind), c.file, bulk.Options{})
		wantCounts(t, r, 1, 0, 0, 1)
		if !strings.HasPrefix(r.errors()[0], c.want) {
			t.Errorf("%s: %s", c.kind, r.errors()[0])
		}
	}
}

func TestFriendlyRowsMayLeaveColumnsOut(t *testing.T) {
	s := filled(t)
	r := plan(t, s.importer("devices"), "Dev EUI,tag\n0004a30b00112201,south\n0004a30b00112299,south\n", bulk.Options{})
	wantCounts(t, r, 0, 1, 0, 1)
	for _, want := range []string{"lorawan_version: is missing", "producer_id: is missing", "module_id: is missing", "hw_revision: is missing"} {
		if !strings.Contains(strings.Join(r.errors(), "\n"), want) {
			t.Errorf("%q is missing in %q", want, r.errors())
		}
	}
	r = plan(t, s.importer("devices"), "dev_eui,producer_id\n0004a30b00112201,ACME\n", bulk.Options{})
	if len(r.errors()) != 1 || !strings.Contains(r.errors()[0], "column B (producer_id): does not tell the profile alone") {
		t.Errorf("%q", r.errors())
	}
}

func TestStoredSetsWithOneNameAreNotMixedUp(t *testing.T) {
	s := filled(t)
	set := s.sets.objects["North"]
	set.ID = "second"
	s.sets.objects["North again"] = set
	twins := &twins{s.sets}
	r := plan(t, bulk.NewDeviceSets(twins, s), "North,,0004a30b00112201\n", bulk.Options{})
	if len(r.errors()) != 1 || !strings.Contains(r.errors()[0], "is that of several stored objects") {
		t.Errorf("%q", r.errors())
	}
}
