package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"apollo/internal/roots"
)

const (
	// requestTime bounds a request with all its retries, slowestBytes (a second)
	// what is added for its content. Chosen: an overloaded store answers within
	// seconds, and an archiver has to say soon what it waits for.
	requestTime  = 20 * time.Second
	slowestBytes = 512 << 10
	// requestRetries is how often the library tries within that time.
	requestRetries = 6
	// sumHeader carries the SHA-256 of an object: an answer that was lost is
	// known by it.
	sumHeader = "Apollo-Sha256"
)

// bucket is a prefix of a bucket of an S3-compatible object store. An object is
// there whole or not at all. There is no folder and no link: current is a
// prefix like others, and files are replaced one by one.
type bucket struct {
	s3           minio.Core
	name, prefix string
}

var _ Storage = (*bucket)(nil)

// openBucket reads the environment as other tools of S3 do.
func openBucket(place string) (*bucket, error) {
	u, err := url.Parse(place)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("place of the trial log: want s3://bucket/prefix, with credentials in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION)")
	}
	b := &bucket{name: u.Host, prefix: strings.Trim(path.Clean("/"+u.Path), "/")}
	if b.prefix != "" {
		b.prefix += "/"
	}
	endpoint, secure := "s3.amazonaws.com", true
	if text := firstEnv("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"); text != "" {
		e, err := url.Parse(text)
		if err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https" || strings.Trim(e.Path, "/") != "" {
			return nil, errors.New("AWS_ENDPOINT_URL: want http://host:port or https://host")
		}
		endpoint, secure = e.Host, e.Scheme == "https"
	}
	options := &minio.Options{
		Secure: secure, Region: firstEnv("AWS_REGION", "AWS_DEFAULT_REGION"), MaxRetries: requestRetries,
		Transport: http.DefaultTransport,
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: requestTime / 4}},
		}),
	}
	if options.Region == "" && endpoint != "s3.amazonaws.com" {
		options.Region = "us-east-1" // what stores without regions call theirs
	}
	if text := os.Getenv("AWS_S3_FORCE_PATH_STYLE"); text != "" {
		is, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("AWS_S3_FORCE_PATH_STYLE=%q: want true or false", text)
		}
		options.BucketLookup = minio.BucketLookupDNS
		if is {
			options.BucketLookup = minio.BucketLookupPath
		}
	}
	roots.Ensure()
	client, err := minio.New(endpoint, options)
	if err != nil {
		return nil, fmt.Errorf("place of the trial log: %w", err)
	}
	b.s3 = minio.Core{Client: client}
	return b, nil
}

func firstEnv(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

// limited bounds a request that moves so many bytes.
func limited(bytes int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), requestTime+time.Duration(bytes)*time.Second/slowestBytes)
}

// Path implements Storage.
func (b *bucket) Path(name string) string {
	return "s3://" + b.name + "/" + strings.TrimSuffix(b.prefix+name, "/")
}

func (b *bucket) key(name string) string {
	if name == "." {
		return b.prefix
	}
	return b.prefix + name
}

// Shared implements Storage.
func (b *bucket) Shared() bool { return true }

// errPrecondition: an object is not as the request wants it.
var errPrecondition = errors.New("the object has changed")

// failed makes an error of the library one of this package.
func (b *bucket) failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	switch {
	case r.Code == minio.NoSuchBucket:
		err = fmt.Errorf("there is no bucket %q", b.name)
	case r.StatusCode == http.StatusNotFound || r.Code == minio.NoSuchKey:
		err = fs.ErrNotExist
	// 409: two conditional requests at once, of which this one lost.
	case r.StatusCode == http.StatusPreconditionFailed, r.StatusCode == http.StatusConflict:
		err = errPrecondition
	case r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusUnauthorized:
		err = fmt.Errorf("%w: the store says %s: look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of that key", fs.ErrPermission, r.Code)
	case r.StatusCode == 0, r.StatusCode >= http.StatusInternalServerError,
		r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusRequestTimeout:
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return pathError(op, b.Path(name), err)
}

// object is what is known of one without its content.
type object struct {
	size int64
	etag string
	sum  string
	at   time.Time
}

// condition restricts a put: not is "*" where there must be none, match the
// ETag of the one that is replaced.
type condition struct{ not, match string }

// send puts an object and returns its ETag. Errors: errPrecondition. After any
// other error it may be there.
func (b *bucket) send(name string, content []byte, when condition) (etag string, err error) {
	ctx, cancel := limited(len(content))
	defer cancel()
	sum := sha256.Sum256(content)
	o := minio.PutObjectOptions{DisableMultipart: true, UserMetadata: map[string]string{sumHeader: hex.EncodeToString(sum[:])}}
	if when.not != "" {
		o.SetMatchETagExcept(when.not)
	}
	if when.match != "" {
		o.SetMatchETag(when.match)
	}
	info, err := b.s3.Client.PutObject(ctx, b.name, b.key(name), bytes.NewReader(content), int64(len(content)), o)
	if err == nil {
		return info.ETag, nil
	}
	err = b.failed("write", name, err)
	if !errors.Is(err, errPrecondition) && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	// Perhaps it is this one, written by a try whose answer was lost.
	is, serr := b.stat(name)
	switch {
	case serr == nil && is.sum == hex.EncodeToString(sum[:]) && is.size == int64(len(content)):
		return is.etag, nil
	case serr != nil && !errors.Is(serr, fs.ErrNotExist):
		return "", serr
	}
	return "", err
}

func (b *bucket) stat(name string) (object, error) {
	ctx, cancel := limited(0)
	defer cancel()
	info, err := b.s3.StatObject(ctx, b.name, b.key(name), minio.StatObjectOptions{})
	if err != nil {
		return object{}, b.failed("stat", name, err)
	}
	return object{size: info.Size, etag: info.ETag, at: info.LastModified, sum: info.UserMetadata[sumHeader]}, nil
}

// fetchTries is how often a content is asked for that breaks off.
const fetchTries = 4

// fetch reads n bytes of an object, all of it with n < 0. It also returns the
// store's time. A read of a part is of the object that has the ETag.
func (b *bucket) fetch(name string, from, n int64, etag string) (content []byte, o object, now time.Time, err error) {
	for range fetchTries {
		content, o, now, err = b.fetchOnce(name, from, n, etag)
		if !errors.Is(err, ErrUnavailable) {
			break
		}
	}
	return content, o, now, err
}

func (b *bucket) fetchOnce(name string, from, n int64, etag string) ([]byte, object, time.Time, error) {
	ctx, cancel := limited(int(max(n, 0)))
	defer cancel()
	var o minio.GetObjectOptions
	if n >= 0 {
		if err := o.SetRange(from, from+n-1); err != nil {
			return nil, object{}, time.Time{}, pathError("read", b.Path(name), err)
		}
	}
	if etag != "" {
		if err := o.SetMatchETag(etag); err != nil {
			return nil, object{}, time.Time{}, pathError("read", b.Path(name), err)
		}
	}
	body, info, header, err := b.s3.GetObject(ctx, b.name, b.key(name), o)
	if err != nil {
		return nil, object{}, time.Time{}, b.failed("read", name, err)
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err == nil && n >= 0 && int64(len(content)) != n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, object{}, time.Time{}, pathError("read", b.Path(name), fmt.Errorf("%w: %w", ErrUnavailable, err))
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return content, object{size: info.Size, etag: info.ETag, at: info.LastModified}, now, nil
}

// each calls f for the objects below a prefix in ascending order, and with
// deep false also for the prefixes that end with the next slash.
func (b *bucket) each(name string, deep bool, most int, f func(key string, o object) error) error {
	// Pages of a listing are requests of their own.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stuck := time.AfterFunc(requestTime, cancel)
	defer stuck.Stop()
	for info := range b.s3.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: b.key(name), Recursive: deep, MaxKeys: most}) {
		stuck.Stop() // f may take longer
		if info.Err != nil {
			return b.failed("list", name, info.Err)
		}
		if err := f(strings.TrimPrefix(info.Key, b.prefix), object{size: info.Size, etag: info.ETag, at: info.LastModified}); err != nil {
			return err
		}
		stuck.Reset(requestTime)
	}
	if ctx.Err() != nil {
		return pathError("list", b.Path(name), fmt.Errorf("%w: no answer within %v", ErrUnavailable, requestTime))
	}
	return nil
}

// List implements Storage.
func (b *bucket) List(folder string, _ func(string, error) error, f func(name string, size int64) error) error {
	return b.each(folder+"/", true, 0, func(key string, o object) error {
		if strings.HasSuffix(key, "/") { // some tools make such objects for folders
			return nil
		}
		return f(key, o.size)
	})
}

// Put implements Storage.
func (b *bucket) Put(name string, content []byte) error {
	_, err := b.send(name, content, condition{not: "*"})
	if errors.Is(err, errPrecondition) {
		return pathError("write", b.Path(name), fs.ErrExist)
	}
	return err
}

// SetAside implements Storage: a copy, then the removal.
func (b *bucket) SetAside(name, rel string) (string, error) {
	content, _, _, err := b.fetch(name, 0, -1, "")
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	for {
		to := freeOrphan(rel, func(n string) bool { return taken[n] })
		err := b.Put(to, content)
		switch {
		case errors.Is(err, fs.ErrExist):
			taken[to] = true
		case err != nil:
			return "", err
		default:
			return to, b.Remove(name)
		}
	}
}

// Remove implements Storage.
func (b *bucket) Remove(name string) error {
	ctx, cancel := limited(0)
	defer cancel()
	err := b.failed("remove", name, b.s3.RemoveObject(ctx, b.name, b.key(name), minio.RemoveObjectOptions{}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Probe implements Storage.
func (b *bucket) Probe() error {
	name := Root + "/" + tempPrefix + "probe" + tempSuffix
	if _, err := b.send(name, make([]byte, probeBytes), condition{}); err != nil {
		return err
	}
	return b.Remove(name)
}

// Folder implements Generations: there is one.
func (b *bucket) Folder(int) string { return Current }

// Newest implements Generations.
func (b *bucket) Newest() (int, bool) {
	any := false
	_ = b.each(Current+"/", true, 1, func(string, object) error { // who asks reads the files next
		any = true
		return io.EOF
	})
	return 1, any
}

// Clean implements Generations: nothing is ever half there.
func (b *bucket) Clean(int, func(string, error) error) ([]int, error) { return nil, nil }

// Stage implements Generations: the new file is beside those that it replaces
// until Discard. Readers of Apollo's own drop trials that come twice.
func (b *bucket) Stage(generation int, _ []string, name string, content []byte) (int, error) {
	if name == "" {
		return generation, nil
	}
	return generation, b.Put(Current+"/"+name, content)
}

// Show implements Generations.
func (b *bucket) Show(int) error { return nil }

// Discard implements Generations.
func (b *bucket) Discard(_, _ int, files []string, _ func(name, rel string) bool) error {
	for _, rel := range files {
		if err := b.Remove(Current + "/" + rel); err != nil {
			return err
		}
	}
	return nil
}
