package studyfile_test
import "flag"
var rewrite = flag.Bool("rewrite", false, "write the golden files again")
