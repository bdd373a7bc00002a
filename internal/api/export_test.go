package api

// Codes returns the status of each code of a problem.
func Codes() map[string]int {
	all := map[string]int{}
	for code, kind := range kinds {
		all[code] = kind.status
	}
	return all
}
