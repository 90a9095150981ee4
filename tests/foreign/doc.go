// Package foreign holds tests over messages of others, which are not part of this repository: `make test-foreign`.
package foreign
