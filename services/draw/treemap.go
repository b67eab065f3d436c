package draw

import (
	"cmp"
	"io"
	"math"
	"slices"
)

// Treemap is amounts by parts as areas, of one thing or of several: side by side, and in
// more rows where their names need it.
type Treemap struct {
	Title string
	// Blocks are at one scale: one of twice the amount is twice as large.
	Blocks []Block
	// Scale writes a length, the root of an amount: with it blocks are squares, and a
	// ruler lies below them. Nil lets blocks take the width that there is.
	Scale func(v float64) string
}

// Block is a whole and its parts. Parts that are not positive are left out.
type Block struct {
	Name  string
	Tiles []Tile
}

// Tile is a part. Look is a number of a colour, the same in all blocks.
type Tile struct {
	Name, Text string
	Value      float64
	Look       int
}

// The layout of a treemap, in points.
const (
	mapWidth, mapHeight = 640.0, 232.0
	mapTop, mapGap      = 22.0, 18.0
	mapRows             = 3   // of mapHeight; more are as much lower
	mapLetter           = 5.2 // the width of a letter of a tile, about
	mapName             = 5.9 // and of a block's name
)

func (b *Block) total() (sum float64) {
	for _, t := range b.Tiles {
		sum += max(t.Value, 0)
	}
	return sum
}

func (b *Block) root() float64 { return math.Sqrt(b.total()) }

// width is that of a block and of its name, where a root of its amount is unit wide.
func (b *Block) width(unit float64) float64 {
	return max(b.root()*unit, mapName*float64(len([]rune(b.Name))))
}

// Inline writes the treemap as a part of a page, as Chart.Inline does. The error is for
// one without an amount, or from w.
func (m *Treemap) Inline(w io.Writer) error {
	s, err := m.scene()
	if err != nil {
		return err
	}
	return s.inline(w, "drawing", m.Title)
}

func (m *Treemap) scene() (*scene, error) {
	most := 0.0
	for i := range m.Blocks {
		most = max(most, m.Blocks[i].root())
	}
	if !(most > 0) || math.IsInf(most, 0) {
		return nil, errEmpty
	}
	rows, unit, aspect := m.layout(most)
	s := &scene{width: mapWidth}
	y := 0.0
	for n, row := range rows {
		if n > 0 {
			y += mapGap
		}
		tallest, x := 0.0, 1.0
		for i := range row {
			tallest = max(tallest, row[i].root()*unit)
		}
		for i := range row {
			b := &row[i]
			high := b.root() * unit
			s.text(x, y+mapTop-7, textSize+1, start, b.Name)
			s.tiles(b.Tiles, rect{x, y + mapTop + tallest - high, high * aspect, high})
			x += b.width(unit*aspect) + mapGap
		}
		y += mapTop + tallest
	}
	s.height = int(y) + 2
	if m.Scale != nil {
		length := roundBelow(most / 2)
		y := float64(s.height) + 12
		s.line(ink(), 1.2, point{1, y - 4}, point{1, y}, point{1 + length*unit, y}, point{1 + length*unit, y - 4})
		s.text(7+length*unit, y+2, textSize, start, m.Scale(length))
		s.height += 18
	}
	return s, nil
}

// layout puts the blocks into the fewest rows that are not too wide, each block of a
// height of unit for a root of its amount and as wide as aspect times that.
func (m *Treemap) layout(most float64) (rows [][]Block, unit, aspect float64) {
	const all = mapWidth - 2
	for n := 1; ; n++ {
		rows = slices.Collect(slices.Chunk(m.Blocks, (len(m.Blocks)+n-1)/n))
		unit = min(mapHeight, mapRows*mapHeight/float64(len(rows))) / most
		widest := math.Inf(1) // that a unit may be
		for _, row := range rows {
			roots := 0.0
			for i := range row {
				roots += row[i].root()
			}
			widest = min(widest, (all-mapGap*float64(len(row)-1))/roots)
		}
		if aspect = widest / unit; m.Scale != nil {
			unit, aspect = min(unit, widest), 1
		}
		if n == len(m.Blocks) || !slices.ContainsFunc(rows, func(row []Block) bool {
			wide := -mapGap
			for i := range row {
				wide += row[i].width(unit*aspect) + mapGap
			}
			return !(wide <= all+1e-6) // rounding
		}) {
			return rows, unit, aspect
		}
	}
}

// roundBelow is the largest of 1, 2 and 5 times a power of ten that is not above v.
func roundBelow(v float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{5, 2} {
		if f*base <= v {
			return f * base
		}
	}
	return base
}

type rect struct{ x, y, width, height float64 }

// tiles fills a rectangle with parts, the largest first, in rows as square as they get:
// M. Bruls, K. Huizing, J. van Wijk, "Squarified Treemaps", VisSym 2000.
func (s *scene) tiles(all []Tile, in rect) {
	all = slices.DeleteFunc(slices.Clone(all), func(t Tile) bool { return !(t.Value > 0) })
	slices.SortStableFunc(all, func(a, b Tile) int { return cmp.Compare(b.Value, a.Value) })
	left := 0.0
	for _, t := range all {
		left += t.Value
	}
	for len(all) > 0 {
		short := min(in.width, in.height)
		unit := in.width * in.height / left // points² of a unit
		n, sum := 1, all[0].Value
		for n < len(all) && worst(all[:n+1], sum+all[n].Value, unit, short) <= worst(all[:n], sum, unit, short) {
			sum += all[n].Value
			n++
		}
		thick, at := sum*unit/short, 0.0
		for _, t := range all[:n] {
			long := short * t.Value / sum
			if in.width >= in.height {
				s.tile(&t, rect{in.x, in.y + at, thick, long})
			} else {
				s.tile(&t, rect{in.x + at, in.y, long, thick})
			}
			at += long
		}
		if in.width >= in.height {
			in.x, in.width = in.x+thick, max(in.width-thick, 0)
		} else {
			in.y, in.height = in.y+thick, max(in.height-thick, 0)
		}
		all, left = all[n:], left-sum
	}
}

// worst is the least square of the parts of a row: its ratio of sides.
func worst(row []Tile, sum, unit, short float64) float64 {
	side := sum * unit / short
	largest, least := row[0].Value*unit/side, row[len(row)-1].Value*unit/side
	return max(largest/side, side/least)
}

func (s *scene) tile(t *Tile, r rect) {
	const rim = 0.6
	s.boxes = append(s.boxes, box{
		x: r.x + rim, y: r.y + rim, width: max(r.width-2*rim, 0.2), height: max(r.height-2*rim, 0.2), color: pale(colorOf(t.Look)), said: said{title: t.Name + ": " + t.Text},
	})
	fits := func(text string) bool { return mapLetter*float64(len([]rune(text)))+6 <= r.width }
	const line = textSize + 3
	if r.height < line || !fits(t.Name) {
		return
	}
	s.text(r.x+4, r.y+line-1, textSize, start, t.Name)
	if r.height >= 2*line && fits(t.Text) {
		s.text(r.x+4, r.y+2*line-1, textSize, start, t.Text)
	}
}
