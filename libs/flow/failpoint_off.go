//go:build !failpoints

package flow

// Failpoint marks a place where a test may kill or pause the process. In release builds it is nothing.
func Failpoint(string) {}
