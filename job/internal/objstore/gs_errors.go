package objstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// patience is how long requests to GCS are waited for.
type patience struct {
	answer time.Duration // for one answer
	total  time.Duration // for all repeats of a request
}

func (p patience) orDefault() patience {
	return patience{cmp.Or(p.answer, answerIn), cmp.Or(p.total, retryFor)}
}

// ask asks until there is an answer, also a refusal: what the client takes for transient
// it repeats itself, with backoff and jitter, and this repeats what was not answered at
// all. The request must be one that may be repeated.
func ask[T any](ctx context.Context, p patience, request func(context.Context) (T, error)) (T, error) {
	began := time.Now()
	for {
		once, cancel := context.WithTimeoutCause(ctx, p.answer, errNoAnswer)
		v, err := request(once)
		given := once.Err() != nil // up, for whatever reason
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			return v, err
		case !given:
			return v, err
		case time.Since(began) >= p.total:
			return v, fmt.Errorf("%w within %v", errNoAnswer, p.total)
		}
	}
}

// do is ask for a request that has no answer but whether it was carried out.
func do(ctx context.Context, p patience, request func(context.Context) error) error {
	_, err := ask(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, request(ctx) })
	return err
}

// errNoAnswer is the error of requests that got none.
var errNoAnswer = fmt.Errorf("%w: no answer", ErrUnavailable)

// gsError names the URI and the operation in an error of the GCS client, and says what
// may be done about it.
func gsError(uri, op string, err error) error {
	err = storageError(uri, op, err, gsKind, gsMessage)
	if e, ok := errors.AsType[*storeError](err); ok && e.hint == "" {
		e.hint = gsHint(e.kind)
	}
	return err
}

// gsKind classifies errors of the GCS client; nil where it knows none.
func gsKind(err error) error {
	api, ok := errors.AsType[*googleapi.Error](err)
	if ok {
		for _, item := range api.Errors {
			if strings.Contains(strings.ToLower(item.Reason), "quota") {
				return ErrNoSpace
			}
		}
	}
	switch {
	case ok && api.Code == http.StatusNotFound && strings.Contains(api.Message, "bucket does not exist"), errors.Is(err, storage.ErrBucketNotExist):
		return ErrNoBucket
	case errors.Is(err, storage.ErrObjectNotExist):
		return ErrNotExist
	case errors.Is(err, ErrUnavailable):
		return ErrUnavailable
	case !ok:
		return nil
	case api.Code == http.StatusBadRequest && strings.Contains(api.Message+api.Body, "requester pays"):
		return ErrPayer
	case api.Code == http.StatusNotFound:
		return ErrNotExist
	case api.Code == http.StatusUnauthorized, api.Code == http.StatusForbidden:
		return ErrPermission
	case api.Code == http.StatusPreconditionFailed:
		return ErrPrecondition
	case api.Code == http.StatusRequestTimeout, api.Code == http.StatusTooManyRequests, api.Code >= 500:
		return ErrUnavailable
	}
	return nil
}

// gsHint is the next step for a kind of error; "" where the kind says enough.
func gsHint(kind error) string {
	switch kind {
	case ErrPermission:
		return "give the account that runs the job roles/storage.objectUser on the bucket, or roles/storage.objectViewer where it only reads"
	case ErrNoBucket:
		return "create the bucket, or correct its name in the configuration"
	case ErrPayer:
		return "the bucket's readers pay: name the project that is billed in the environment variable " + payer
	case ErrUnavailable:
		return "the storage is busy or cannot be reached; run the same command again later"
	}
	return ""
}

// gsMessage shortens the client's errors, which may hold a whole HTTP body, to
// one line.
func gsMessage(err error) error {
	api, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return err
	}
	message, _, _ := strings.Cut(strings.TrimSpace(api.Message), "\n")
	return fmt.Errorf("HTTP %d %s: %s", api.Code, http.StatusText(api.Code), cmp.Or(message, "no message"))
}
