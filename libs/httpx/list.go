package httpx

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// List is the envelope of every list. Next is the cursor of the page after this one, null on the last.
type List[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// Page is what a caller asked for: at most Limit rows that lie after the key After (empty: from the beginning).
// Fetch Limit+1 rows and give them to NewList.
type Page struct {
	Limit int
	After []string
}

// ParsePage reads limit and cursor from the query. usual is the limit when none is given, most the highest; a
// greater one is cut to it. keys is how many values the list's order consists of, so that a cursor of another list
// is a 400 and not a wrong page.
func ParsePage(query url.Values, keys, usual, most int) (Page, error) {
	page := Page{Limit: usual}
	if given := query.Get("limit"); given != "" {
		limit, err := strconv.Atoi(given)
		if err != nil || limit < 1 {
			return Page{}, NewProblem(http.StatusBadRequest, "The limit is not a number above 0. Use for example "+
				"limit=%d; at most %d are given at once.", usual, most)
		}
		page.Limit = limit
	}
	page.Limit = min(page.Limit, most)
	if cursor := query.Get("cursor"); cursor != "" {
		after, err := DecodeCursor(cursor, keys)
		if err != nil {
			return Page{}, err
		}
		page.After = after
	}
	return page, nil
}

// NewList makes a page of rows that were fetched with one row more than the limit: that one is cut off and tells
// that there is a next page. key gives the values that the list is ordered by, the last of them unique.
func NewList[T any](rows []T, limit int, key func(T) []string) List[T] {
	if rows == nil {
		rows = []T{}
	}
	if len(rows) <= limit {
		return List[T]{Items: rows}
	}
	rows = rows[:limit]
	next := EncodeCursor(key(rows[limit-1])...)
	return List[T]{Items: rows, Next: &next}
}

// EncodeCursor makes an opaque cursor of a row's key. It can be read by anyone who unpacks it: keys hold nothing
// secret.
func EncodeCursor(key ...string) string {
	text, _ := json.Marshal(key) // strings always marshal
	return base64.RawURLEncoding.EncodeToString(text)
}

// DecodeCursor reads a cursor of so many values. A cursor not made by EncodeCursor, or for another list, is a 400.
func DecodeCursor(cursor string, keys int) ([]string, error) {
	var key []string
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err != nil || len(key) != keys {
		return nil, NewProblem(http.StatusBadRequest, "The cursor is not one of this list. Take it from next of the "+
			"page before, or leave it out to begin anew.")
	}
	return key, nil
}
