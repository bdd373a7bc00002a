// Package deltatest finds the firmware images that the packages below delta are tested with.
//
//	$FIXTURES, or ../shared/fixtures/delta beside the repository
//	  └─ shell/              a pair: old.bin, new.bin, and patches that others have made
//	  └─ programmer-.../
//
// The images belong to others, so they are not part of this repository. CI has them, and fails without; elsewhere
// a test that wants them is skipped.
package deltatest
