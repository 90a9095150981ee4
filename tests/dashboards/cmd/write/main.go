// Command write writes the dashboards into a folder, one file each; `make generate` runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"footbridge/tests/dashboards"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, board := range dashboards.All() {
		text, err := board.JSON()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, board.UID+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
