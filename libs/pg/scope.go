package pg

import "fmt"

// InScope is the condition that keeps a statement within a scope: all ($first), those of an organisation ($first+1), or
// a person's own ($first+2). organisation and person are expressions of the statement.
func InScope(organisation, person string, first int) string {
	return fmt.Sprintf(`($%d or %s = any($%d) or ($%d <> '' and %s = $%d))`, first, organisation, first+1, first+2,
		person, first+2)
}
