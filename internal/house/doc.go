// Package house tests the rules of the house: what the compiler does not hold.
//
//		cmd -> internal/* -> campaign, sim -> fleet, fec, delta, device, airtime -> lorawan/*
//		                     '------------------ pure ------------------------------'
//
//	  - Pure packages (all outside of internal and cmd) depend on the standard
//	    library and one another only, reach no network, database or process, read no
//	    clock, start no goroutine and draw no global random number (docs/adr/0001).
//	  - Imports never point up that line; public packages never import internal ones;
//	    adapters and stores do not know their siblings.
//	  - Every package has a package comment, every public one a tested Example.
//	  - No tracked file names a machine's paths or a private registry.
//	  - Relative links in Markdown lead somewhere, and every reason code of a campaign has a
//	    row in docs/campaigns.md.
//
// Each rule is a function from facts to complaints with a test that feeds it a
// violation, so that a rule cannot go blind unnoticed; another test applies the
// rules to this module. Packages that do not exist yet are no complaint.
// golangci-lint holds a part of the same rules, to show them while typing.
package house
