package api_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestContentStreamsInAndOut(t *testing.T) {
	s := start(t)
	address := "/api/v1/files/" + s.fill()["files"] + "/content"
	s.refused(404, "not_found", s.do("GET", address, ""))
	data := strings.Repeat("fragment", 1000)
	sum := sha256.Sum256([]byte(data))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"

	s.refused(415, "unsupported_media_type", s.do("PUT", address, data))
	octets := []string{"Content-Type", "application/octet-stream"}
	s.refused(422, "digest_mismatch", s.do("PUT", address, "damaged", append(octets, "Content-Digest", digest)...))
	s.refused(422, "invalid", s.do("PUT", address, data, append(octets, "Content-Digest", "md5=:AA==:")...))
	s.refused(422, "invalid", s.do("PUT", address, "", octets...))
	s.refused(413, "too_large", s.do("PUT", address, strings.Repeat("x", 1<<20+1), octets...))

	f := s.ok(200, s.do("PUT", address, data, append(octets, "Content-Digest", "sha-512=:AA==:, "+digest)...))
	if f["size"] != 8000.0 || f["sha256"] != fmt.Sprintf("%x", sum) || f["uploaded_at"] == nil {
		t.Errorf("%v", f)
	}
	s.ok(200, s.do("PUT", address, data, octets...))
	s.refused(409, "wrong_state", s.do("PUT", address, "other", octets...))

	a := s.do("GET", address, "")
	if a.StatusCode != 200 || a.body != data || a.ContentLength != 8000 || a.Header.Get("Content-Disposition") != "attachment; filename=image" {
		t.Errorf("%d, %d bytes, %v", a.StatusCode, len(a.body), a.Header)
	}
}

// An upload whose connection breaks is the client's trouble, not the server's.
func TestABrokenUploadIsNoContent(t *testing.T) {
	s := start(t)
	id := s.fill()["files"]
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT /api/v1/files/%s/content HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\nhalf", id, s.token)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != 400 {
		t.Errorf("status %d, %v", res.StatusCode, err)
	}
	if f := s.ok(200, s.do("GET", "/api/v1/files/"+id, "")); f["size"] != 0.0 {
		t.Errorf("%v", f)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
