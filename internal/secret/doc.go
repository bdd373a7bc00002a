// Package secret seals what must not be read from a stolen database: device and group
// keys, private keys, network credentials, webhook secrets. It is envelope encryption with
// three layers, each of which can be changed without touching the one below.
//
//	KEK                    key-encryption key: keyring file, environment, or a KMS
//	 | wraps               AES-256-GCM; a few keys by id, one of them primary
//	 v
//	data key               one per subscriber, kept wrapped in the database with the
//	 | seals               id of the KEK; bound to its own id and to the subscriber
//	 v
//	sealed value           in a column; bound to subscriber, table, row and column
//
//	+---+------------------+------------+--------------------+--------+
//	| 1 | data key id (16) | nonce (12) | ciphertext         | tag 16 |   45 bytes more
//	+---+------------------+------------+--------------------+--------+   than the plain
//
// # What this protects
//
// Whoever has only the database file, a dump or a backup learns nothing but the lengths of
// the sealed values, and who changes it can take values away or put older ones of the same
// place back, but cannot make new ones, nor move one to another column, row or subscriber: that is ErrSealed.
//
// It does not protect against who reads the memory of the running process, or who has
// the keyring beside the database: keep the two apart, in backups too. Without the keyring the
// sealed values are lost, so it needs a backup of its own.
//
// # Rotation
//
// A rotation replaces the KEK and rewraps one row per subscriber; sealed values stay as they are.
//
//	           crash here: what is found afterwards, and opens
//	Add        the old primary, or the new one with every row under an old key
//	Rewrap     (row by row) some rows under the old key, some under the new; both are in the keyring
//	Remove     all rows under the new key; the old one may still be there
//
// A rotation that broke off is started again from the beginning: it adds one more key,
// rewraps what is not under it, and removes every other. Nothing has to be remembered.
// Old backups of the database need the keyring as it was then.
//
// Who stores data keys keeps two rules, or a key could be removed under a row that is just being written:
//
//   - Wrap (NewDataKey, Rewrap) inside the write transaction that stores the row. A Keyring
//     reads its file before each Wrap, so that what begins after Add is under the new primary.
//   - Ask which KEK ids the rows refer to in a transaction that begins after Add and waits for those
//     of the first rule; Remove only what is not among them.
//
// Nonces are random: one data key is good for 2^32 seals (NIST SP 800-38D, 8.3), far
// more than the secrets of a fleet of a million devices.
//
// The package has no store and speaks no network; it does not decide who may see a
// secret, and does not rotate data keys. It cannot wipe memory for sure: it clears the
// buffers that it knows of, and what it keeps is ciphers, not keys.
package secret
