package criteria

import (
	"embed"
	"io/fs"
)

//go:embed directory/*.yaml
var exampleFiles embed.FS

// ExampleFiles returns the shipped example directory: illustrative services, and no real service's criteria save
// where a published clarification is cited as such. It is what `dev` runs on until FOOTBRIDGE_DIRECTORY is set.
func ExampleFiles() fs.FS {
	files, err := fs.Sub(exampleFiles, "directory")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return files
}
