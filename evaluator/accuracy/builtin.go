package accuracy

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"apollo/evaluator/workload"
)

// The tables are figures of their sources, under Apache-2.0.
var (
	//go:embed mobilenet_v1.csv
	mobileNetV1 []byte
	//go:embed mobilenet_v2.csv
	mobileNetV2 []byte
	//go:embed mnasnet_a1.csv
	mnasNetA1 []byte
	//go:embed resnet.csv
	resNet []byte
	//go:embed accel_nasbench.json
	accelNASBench []byte
)

// builtin is a table that is part of the program.
type builtin struct {
	family, source string
	csv            []byte // of published accuracies, in the column top1
	document       []byte // of others
}

func builtins() []builtin {
	return []builtin{
		{family: "accel_nasbench", document: accelNASBench},
		{family: "mnasnet_a1", csv: mnasNetA1, source: "tensorflow/tpu models/official/mnasnet/README.md"},
		{family: "mobilenet_v1", csv: mobileNetV1, source: "tensorflow/models research/slim/nets/mobilenet_v1.md"},
		{family: "mobilenet_v2", csv: mobileNetV2, source: "tensorflow/models research/slim/nets/mobilenet/README.md"},
		// One recipe, A1 of arXiv 2110.00476, measured at two resolutions.
		{family: "resnet", csv: resNet, source: "huggingface/pytorch-image-models results/results-imagenet.csv, a1_in1k"},
	}
}

// Builtin returns what the program knows of a family's accuracies on a scale. The
// error says that it knows nothing, or which scale it has.
func Builtin(f *workload.Family, scale string) (*Known, error) {
	for _, b := range builtins() {
		if b.family != f.Name {
			continue
		}
		k, err := b.read(f)
		if err == nil && k.Scale != scale {
			return nil, fmt.Errorf("the accuracies of %s that this build has are %s ones, and %s ones cannot be compared with them: want scale: %s, or a table or predictor of your own", f.Name, k.Scale, scale, k.Scale)
		}
		return k, err
	}
	return nil, fmt.Errorf("this build has no accuracies of %s", f.Name)
}

func (b *builtin) read(f *workload.Family) (*Known, error) {
	if b.csv == nil {
		return Parse(b.document)
	}
	k, err := ReadTable(f, b.csv, "top1")
	if err != nil {
		return nil, err
	}
	k.Scale, k.Source = Published, b.source
	return k, nil
}

// JSON writes a document.
func (d Document) JSON() ([]byte, error) { return json.Marshal(d) }
