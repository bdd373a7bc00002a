package relational

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/starling-fuota/starling/internal/store"
)

// chunkSize keeps transactions short and the memory of an upload small.
const chunkSize = 256 << 10

// PutContent stores r in chunks under a new upload. The row that makes them visible
// is written last.
func (d DB) PutContent(ctx context.Context, r io.Reader) (_ store.Content, err error) {
	u, err := uuid.NewV7()
	if err != nil {
		return store.Content{}, err
	}
	upload := u.String()
	defer func() {
		if err != nil {
			// The caller's context may be what ended the upload. What cannot be
			// dropped now is dropped as abandoned when the store is opened again.
			ctx := context.WithoutCancel(ctx)
			_ = d.Write(ctx, func(q Querier) error { return dropUpload(ctx, q, upload) })
		}
	}()

	digest, size, chunk := sha256.New(), int64(0), make([]byte, chunkSize)
	for position := int64(0); ; position++ {
		n, err := io.ReadFull(r, chunk)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return store.Content{}, err
		}
		if n > 0 {
			digest.Write(chunk[:n])
			size += int64(n)
			if err := d.Write(ctx, func(q Querier) error {
				_, err := q.Exec(ctx, "INSERT INTO content_chunk (upload, position, bytes) VALUES (?, ?, ?)", upload, position, chunk[:n])
				return err
			}); err != nil {
				return store.Content{}, err
			}
		}
		if err != nil {
			break
		}
	}
	c := store.Content{SHA256: hex.EncodeToString(digest.Sum(nil)), Size: size}
	return c, d.Write(ctx, func(q Querier) error {
		n, err := q.Exec(ctx, "INSERT INTO content (sha256, size, upload) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING",
			c.SHA256, c.Size, upload)
		if err != nil || n == 1 {
			return err
		}
		return dropUpload(ctx, q, upload) // the same bytes are here already
	})
}

func dropUpload(ctx context.Context, q Querier, upload string) error {
	_, err := q.Exec(ctx, "DELETE FROM content_chunk WHERE upload = ?", upload)
	return err
}

// abandonedAfter is far longer than any upload takes.
const abandonedAfter = 24 * time.Hour

// DropAbandonedUploads removes the chunks of uploads that never became a content.
func (d DB) DropAbandonedUploads(ctx context.Context) error {
	// The first 48 bits of a UUIDv7 are the milliseconds since 1970, so that text order is time order.
	ms := uint64(time.Now().Add(-abandonedAfter).UnixMilli())
	oldest := fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
	return d.Write(ctx, func(q Querier) error {
		_, err := q.Exec(ctx, "DELETE FROM content_chunk WHERE upload < ? AND upload NOT IN (SELECT upload FROM content)", oldest)
		return err
	})
}

// OpenContent returns a reader that fetches one chunk at a time.
func (d DB) OpenContent(ctx context.Context, sum string) (io.ReadCloser, error) {
	r := &contentReader{ctx: ctx, db: d.Reader}
	err := one(ctx, d.Reader, []any{&r.upload}, "SELECT upload FROM content WHERE sha256 = ?", sum)
	if err != nil {
		return nil, fmt.Errorf("content %s: %w", sum, err)
	}
	return r, nil
}

// contentReader reads the chunks of one upload in order. Chunks of a content never
// change, so each may come from a snapshot of its own.
type contentReader struct {
	ctx      context.Context // of OpenContent: io.Reader has no place for one
	db       Querier
	upload   string
	position int64
	rest     []byte
	closed   bool
}

// Read returns bytes of the present chunk, and fetches the next when it is used up.
func (r *contentReader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, errors.New("content: read after close")
	}
	for len(r.rest) == 0 {
		err := one(r.ctx, r.db, []any{&r.rest}, "SELECT bytes FROM content_chunk WHERE upload = ? AND position = ?", r.upload, r.position)
		if errors.Is(err, store.ErrNotFound) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		r.position++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close makes further reads fail. It never fails itself.
func (r *contentReader) Close() error {
	r.closed = true
	return nil
}
