package secret

import "context"

// KEK is a service that holds key-encryption keys: a Keyring, the keys of FromEnvironment, or a
// key management service. It is asked once per data key and process, not once per value.
//
// Wrap must authenticate what it encrypts, as every AEAD does: the binding of a data
// key to its subscriber lies in the plain text. At most 128 bytes are wrapped.
// Implementations are safe for concurrent use and do not keep plain.
type KEK interface {
	// Primary returns the id of the key that Wrap uses now.
	Primary(ctx context.Context) (id string, err error)

	// Wrap encrypts plain under the primary and says which that was. A key that is lost by a
	// crash right after Wrap would take everything below it along: it must be durable before.
	Wrap(ctx context.Context, plain []byte) (kekID string, wrapped []byte, err error)

	// Unwrap decrypts what Wrap made. It returns ErrUnknownKEK, with the id, when there is no such
	// key, and ErrSealed when wrapped is not authentic; other errors may pass by themselves.
	Unwrap(ctx context.Context, kekID string, wrapped []byte) (plain []byte, err error)
}

// Rotator is a KEK that makes and forgets its own keys. A KMS or the environment is no
// Rotator: there the operator changes the primary, and Sealer.Rewrap does the rest.
type Rotator interface {
	KEK

	// Add makes a new key the primary, durable before it returns.
	Add(ctx context.Context) (id string, err error)

	// Remove forgets a key for good; nothing may be wrapped under it. The primary stays
	// (ErrPrimary). A key that is not there is removed already: no error.
	Remove(ctx context.Context, id string) error

	// IDs returns the ids of all keys, oldest first.
	IDs(ctx context.Context) ([]string, error)
}
