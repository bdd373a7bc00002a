package secret

import "errors"

var (
	// ErrSealed means that a sealed value or a wrapped key is not what was made here: changed,
	// cut, moved to another place, or made under another key of the same id.
	ErrSealed = errors.New("sealed value is damaged or was moved")

	// ErrNoDataKey means that the data key of a value is not open: give it to Sealer.Open and
	// repeat. When the database has no such data key the value is damaged.
	ErrNoDataKey = errors.New("data key is not open")

	// ErrUnknownKEK means that there is no key-encryption key of that id: the keyring is not the
	// one that the database was used with, or the key was removed too early.
	ErrUnknownKEK = errors.New("unknown key-encryption key")

	// ErrMode means that others than its owner may read or write the keyring file.
	ErrMode = errors.New("keyring is open to others")

	// ErrDamaged means that the keyring file is not as it was written.
	ErrDamaged = errors.New("keyring is damaged")

	// ErrVersion means that the keyring file was written by a later version.
	ErrVersion = errors.New("keyring has an unknown version")

	// ErrPrimary means that the primary key cannot be removed.
	ErrPrimary = errors.New("key is the primary")

	// ErrEnvironment means that the text given to FromEnvironment is no list of keys.
	ErrEnvironment = errors.New("keys of the environment are unusable")
)
