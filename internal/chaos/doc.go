// Package chaos kills servers. It is tests only: real processes run the real engine and service on a real
// database, over a simulated radio network in virtual time, and are killed, stopped and ended in the middle
// of campaigns, while devices reset, answer twice, late and out of order, and lie.
//
//	test process                                   replica processes
//	+--------------------------------------+       +-----------------------------------+
//	| hub: sim.Network, who hears what     |<─rpc─>| network.Adapter, network.Source   |
//	|  witness: what was sent must be true |       | engine, service                   |
//	|  fate: SIGKILL, SIGSTOP, SIGTERM     |       | store: SQLite, or PostgreSQL      |
//	+--------------------------------------+       +-----------------------------------+
//
// In each run somebody is killed and, of several, somebody stopped for longer than its lease, while the campaign runs: the seed
// draws when, by what was sent. After each run the campaign must have ended as the devices themselves say, and no counter may have gone back.
// A failure names its seed. The same seed makes the same fleet and the same fates, not the same run: processes
// race with one another, which is the point.
//
// It does not try losses of power, or a PostgreSQL that fails: see the tests of internal/store/postgres.
package chaos
