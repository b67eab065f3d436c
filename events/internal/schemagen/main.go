// Command schemagen writes the JSON Schemas of the event types and the
// AsyncAPI document from the Go types. It is run by go generate in events.
package main

import (
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("schemagen: ")
	files, err := generate()
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns all documents by path. It runs in the directory of package
// events, whose sources give the descriptions.
func generate() (map[string][]byte, error) {
	files, err := jsonSchemas()
	if err != nil {
		return nil, err
	}
	files[filepath.Join("..", "docs", "asyncapi.yaml")] = asyncAPI()
	return files, nil
}
