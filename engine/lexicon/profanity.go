package lexicon

import (
	"regexp"
	"strings"

	"flysense/engine"
)

// Coarse words by their roots. Each pattern is bound to the word's beginning
// and names the prefixes it may carry, because the same letters stand inside
// innocent words: страхуй, употреблять, хлебать, мандат, сразу, посрамить.
var coarse = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`(?:по|на|ни|до|о|а|за|от|при|рас|вы)?ху(?:й|я|ю|е|и[^д]|и$)\pL*`,
	`хули`, `нах`, `пох`,
	`\pL*пиз(?:д|ж)\pL*`,
	`(?:за|на|у|вы|про|до|по|от|отъ|съ|объ|въ|разъ|подъ|изъ|невъ|долбо|долба|мозго|пере|при|осто|недо)?еб(?:а|у|л|н|и|е[тнш]|о[шв]|ы|к|$)\pL*`,
	`(?:уеб|долбоеб|долбаеб)(?:о|и)?\pL*`,
	`бля`, `(?:вы|про|раз|за)?бля[дт]\pL*`,
	`с?сук(?:а|и|е|у|ой|ин|ина|ины|иного|иных)`, `сучк[ау]`, `сучар\pL*`, `сучий`,
	`муд(?:ак|ач|ил|озв|оеб|ень)\pL*`,
	`манд(?:а|ы|у|ой|е)`, `мандавош\pL*`,
	`г[ао]ндон\pL*`,
	`п[ие]д[оа]р\pL*`, `пидр\pL*`, `педик\pL*`, `педрил\pL*`,
	`залуп\pL*`,
	`(?:на|за|по|от|вз)?дроч\pL*`,
	`шлюх\pL*`, `ублюд\pL*`, `гнид[аыуе]`, `мраз(?:ь|и|ью|от\pL*)`, `твар(?:ь|и|ью|ей)`,
	`(?:за|об|на)?говн\pL*`, `говенн\pL*`,
	`жоп\pL*`, `дерьм\pL*`,
	`(?:на|за|об|обо|по|про|у|вы|ис)?сра(?:ть|ться|л|ла|ли|лся|лись|нн?(?:ый|ая|ое|ые|ого|ой|ую|ом|ым|ых|ь|и))`,
	`(?:обо|за|по|у|на)?сс(?:ать|ал|ала|али|ыт|ышь)`,
	`(?:на|по|ни|до|о|за|а)?хер(?:а|у|ом|е|ы|ов\pL*|н\pL*|ен\pL*|ач\pL*|ить?|ил\pL*|еть|ел\pL*|аси)?`,
	`чмо`, `чмошник\pL*`, `епт(?:а|ить|ь)?`,
	// masked by the recogniser: "х**", "б***ь", "п***ц"
	`(?:ху?|пи?|бл?|еб?|су?|му?|го?)\*+\pL*`,
}, "|") + `)$`)

// innocent words that the roots above would catch.
var innocent = map[string]bool{
	"ебей": true, "ебург": true, "ебурге": true, "ебурга": true, // a marketplace and a city, as people say them
}

// isCoarse judges one word in its looked-up form. Parts joined by a hyphen are
// judged one by one.
func isCoarse(form string) bool {
	for _, part := range strings.Split(form, "-") {
		if !innocent[part] && coarse.MatchString(part) {
			return true
		}
	}
	return false
}

// profanity finds coarse language. An agent's outweighs a client's: that is
// what the owner must know first.
func profanity(t talk) engine.Verdict {
	verdict := engine.Verdict{Kind: engine.Profanity}
	for _, s := range t.sentences {
		for i, w := range s.words {
			if !w.coarse {
				continue
			}
			if s.speaker == engine.Agent {
				return s.verdict(engine.Profanity, i)
			}
			if !verdict.Found {
				verdict = s.verdict(engine.Profanity, i)
			}
		}
	}
	return verdict
}
