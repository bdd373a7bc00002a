package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/starling-fuota/starling/fleet"
)

// Bounds of a password, in characters. The lower one is what keeps guessing hopeless, the
// upper one what keeps a request small; there is no rule about kinds of characters, because
// such rules make passwords that people cannot remember and programs can guess.
const (
	MinPassword = 12
	MaxPassword = 256
)

// ErrPassword is returned for a password that must not be used. It comes with a
// *fleet.FieldError of the field "password" that says what to do.
var ErrPassword = errors.New("identity: password not accepted")

// current is what new hashes are made with: 19 MiB, two passes, one lane, a common
// recommendation for argon2id where logging in must be cheap enough for a small server.
var current = params{memory: 19 * 1024, passes: 2, lanes: 1}

// Sizes of what HashPassword makes, in bytes.
const (
	saltSize = 16
	hashSize = 32
)

// slots holds one place for each processor. More computations at once would not finish
// earlier, but each takes the memory of a hash: a thousand logins at once would take 19 GiB.
// It is one for the process because the memory is.
var slots = make(chan struct{}, runtime.GOMAXPROCS(0))

// nobody is what the password of an unknown user is compared with.
var nobody = passwordHash{params: current, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}

// ValidatePassword returns ErrPassword, with a *fleet.FieldError, if the user login must not
// use password. login may be empty when it is not known yet.
func ValidatePassword(login, password string) error {
	var problem, hint string
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		problem = "is not UTF-8"
	case n < MinPassword:
		problem, hint = fmt.Sprintf("is shorter than %d characters", MinPassword), "make it longer: four unrelated words are good"
	case n > MaxPassword:
		problem, hint = fmt.Sprintf("is longer than %d characters", MaxPassword), "shorten it"
	case login != "" && strings.EqualFold(strings.TrimSpace(password), login):
		problem, hint = "is the login", "choose something that others cannot know"
	case strings.Trim(password, firstRune(password)) == "":
		problem, hint = "is one character repeated", "choose something that others cannot guess: four unrelated words are good"
	default:
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPassword, &fleet.FieldError{Field: "password", Problem: problem, Hint: hint})
}

func firstRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// HashPassword returns what to store of the password of the user login: an argon2id hash in
// PHC string form, with a salt out of rand. It returns ErrPassword as ValidatePassword does,
// and the error of ctx if that ends while waiting for a processor.
func HashPassword(ctx context.Context, rand io.Reader, login, password string) (string, error) {
	if err := ValidatePassword(login, password); err != nil {
		return "", err
	}
	h := passwordHash{params: current, salt: make([]byte, saltSize)}
	if _, err := io.ReadFull(rand, h.salt); err != nil {
		return "", fmt.Errorf("hash of a password: random numbers: %w", err)
	}
	var err error
	if h.sum, err = h.compute(ctx, password, hashSize); err != nil {
		return "", err
	}
	return h.String(), nil
}

// CheckPassword reports whether password is the one that hash was made from, and whether the
// hash is outdated: made with less work than is usual now. A caller that gets ok and outdated
// hashes the password again and stores that.
//
// hash "" stands for a user who does not exist or has no password: the answer is false, after
// as much work as for any other, so that the time does not tell which logins exist. A hash
// that is not one is ErrHash, after the same work. While all processors are busy with other
// passwords it waits, until ctx ends.
func CheckPassword(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	h, known := nobody, hash != ""
	var malformed error
	if known {
		if h, malformed = parseHash(hash); malformed != nil {
			h, known = nobody, false
		}
	}
	if len(password) > utf8.UTFMax*MaxPassword { // no password is so long: spare the work of its bytes
		password, known = "", false
	}
	sum, err := h.compute(ctx, password, uint32(len(h.sum)))
	if err != nil {
		return false, false, err
	}
	if malformed != nil {
		return false, false, malformed
	}
	// The comparison comes first: that a user is unknown must not save it.
	ok = subtle.ConstantTimeCompare(sum, h.sum) == 1 && known
	return ok, ok && h.outdated(), nil
}

// compute returns size bytes of argon2id of password, as soon as there is a slot.
func (h passwordHash) compute(ctx context.Context, password string, size uint32) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("password: waiting for a processor: %w", ctx.Err())
	}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, size), nil
}

// readable has no characters that are taken for another when read or dictated: no i, l, o, u.
var readable = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewPassword makes a password out of rand for somebody who will change it, such as the first
// administrator: 120 bits as six groups of four, such as "7k2m-xq4t-0h9c-vw3e-5dzr-8pna".
func NewPassword(rand io.Reader) (string, error) {
	var raw [15]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return "", fmt.Errorf("new password: random numbers: %w", err)
	}
	text := readable.EncodeToString(raw[:])
	groups := make([]string, 0, len(text)/4)
	for ; text != ""; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(groups, "-"), nil
}
