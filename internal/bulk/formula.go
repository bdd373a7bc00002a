package bulk

import "strings"

// formulaStart holds what makes a spreadsheet take a cell for a formula.
const formulaStart = "=+-@\t\r\n"

// Defuse makes a cell of a table for people harmless: text that a spreadsheet would
// take for a formula gets an apostrophe before it, which spreadsheets take as "this is
// text". Text that already looks defused gets another one, so that reading is exact.
func Defuse(cell string) string {
	if looksLikeFormula(cell) {
		return "'" + cell
	}
	return cell
}

// rearm undoes Defuse. Other apostrophes stay.
func rearm(cell string) string {
	if strings.HasPrefix(cell, "'") && looksLikeFormula(cell) {
		return cell[1:]
	}
	return cell
}

// looksLikeFormula reports whether a cell begins with formulaStart, after any number of apostrophes.
func looksLikeFormula(cell string) bool {
	rest := strings.TrimLeft(cell, "'")
	return rest != "" && strings.IndexByte(formulaStart, rest[0]) >= 0
}
