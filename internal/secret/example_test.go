package secret_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/starling-fuota/starling/internal/secret"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lifetime(context.Background(), filepath.Join(dir, "keyring")))
	if err := os.RemoveAll(dir); err != nil {
		log.Fatal(err)
	}
	// Output:
	// rewrapped: true
	// unsealed: a key
	// <nil>
}

// lifetime seals a value, changes the key-encryption key, and unseals the value after a restart.
func lifetime(ctx context.Context, path string) error {
	// First start: a keyring, and a data key for a subscriber. The database keeps dk.
	keyring, err := secret.OpenKeyring(path, true)
	if err != nil {
		return err
	}
	sealer := secret.NewSealer(keyring, nil)
	dk, err := sealer.NewDataKey(ctx, "default", time.Now())
	if err != nil {
		return err
	}
	place := secret.AAD("default", "device", "0102030405060708", "app_key")
	sealed, err := sealer.Seal(dk.ID, []byte("a key"), place)
	if err != nil {
		return err
	}

	// Later: a new primary, and the one row moves under it. The value stays as it is.
	if _, err := keyring.Add(ctx); err != nil {
		return err
	}
	old := dk.KEKID
	dk, changed, err := sealer.Rewrap(ctx, dk)
	if err != nil {
		return err
	}
	fmt.Println("rewrapped:", changed)
	if err := keyring.Remove(ctx, old); err != nil {
		return err
	}

	// Next start.
	sealer = secret.NewSealer(keyring, nil)
	if err := sealer.Open(ctx, dk); err != nil {
		return err
	}
	plain, err := sealer.Unseal(sealed, place)
	fmt.Printf("unsealed: %s\n", plain)
	return err
}

// module stands for a key management service: a client of one has these three methods,
// and a call to the service where this one has a cipher.
type module struct {
	keyName string
	aead    cipher.AEAD
}

func (m module) Primary(context.Context) (string, error) { return m.keyName, nil }

func (m module) Wrap(_ context.Context, plain []byte) (string, []byte, error) {
	return m.keyName, m.aead.Seal(nil, nil, plain, nil), nil
}

func (m module) Unwrap(_ context.Context, kekID string, wrapped []byte) ([]byte, error) {
	if kekID != m.keyName {
		return nil, fmt.Errorf("key %q: %w", kekID, secret.ErrUnknownKEK)
	}
	plain, err := m.aead.Open(nil, nil, wrapped, nil)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", kekID, secret.ErrSealed)
	}
	return plain, nil
}

func ExampleKEK() {
	block, err := aes.NewCipher([]byte("an example's key has 32 bytes, so"[:32]))
	if err != nil {
		log.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		log.Fatal(err)
	}
	sealer := secret.NewSealer(module{"projects/fleet/keys/starling", aead}, nil)
	dk, err := sealer.NewDataKey(context.Background(), "default", time.Now())
	fmt.Println(dk.KEKID, err)
	// Output: projects/fleet/keys/starling <nil>
}
