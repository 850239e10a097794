"""Names as often as they are met: written here, the commonest by hand and the long tail built.

Weights are shares in a thousand people, roughly as in an American plan; what is left over goes to
names made of syllables, each of them rare, as most family names are.
"""

from itertools import accumulate, product
from random import Random
from typing import Final


class Weighted:
    """Draws names, each as often as its weight says."""

    def __init__(self, weighted: str, tail: tuple[str, ...], tail_share: float) -> None:
        named: dict[str, float] = {}
        for line in weighted.split():
            name, _, weight = line.partition(":")
            named[name.replace("_", " ")] = float(weight)
        each = sum(named.values()) * tail_share / (1 - tail_share) / len(tail)
        for name in tail:
            named.setdefault(name, each)
        self._names = tuple(named)
        self._weights = tuple(accumulate(named.values()))

    def draw(self, rng: Random) -> str:
        return rng.choices(self._names, cum_weights=self._weights)[0]


def _built(*parts: str) -> tuple[str, ...]:
    return tuple("".join(syllables).title() for syllables in product(*(p.split() for p in parts)))


FAMILIES: Final = Weighted(
    """
    Smith:9 Johnson:7 Williams:6 Brown:5.2 Jones:5.1 Garcia:4.5 Miller:4.2 Davis:4.1 Rodriguez:4
    Martinez:3.9 Hernandez:3.7 Lopez:3.2 Gonzalez:3.1 Wilson:2.9 Anderson:2.9 Thomas:2.8
    Taylor:2.7 Moore:2.6 Jackson:2.6 Martin:2.5 Lee:2.5 Perez:2.4 Thompson:2.4 White:2.4 Harris:2.2
    Sanchez:2.2 Clark:2 Ramirez:2 Lewis:1.9 Robinson:1.9 Walker:1.9 Young:1.8 Allen:1.8 King:1.7
    Wright:1.7 Scott:1.6 Torres:1.6 Nguyen:1.6 Hill:1.5 Flores:1.5 Green:1.5 Adams:1.5 Nelson:1.5
    Baker:1.4 Hall:1.4 Rivera:1.4 Campbell:1.4 Mitchell:1.4 Carter:1.3 Roberts:1.3 Gomez:1.3
    Phillips:1.3 Evans:1.3 Turner:1.2 Diaz:1.2 Parker:1.2 Cruz:1.2 Edwards:1.2 Collins:1.2
    Reyes:1.1 Stewart:1.1 Morris:1.1 Morales:1.1 Murphy:1.1 Cook:1.1 Rogers:1.1 Gutierrez:1.1
    Ortiz:1 Morgan:1 Cooper:1 Peterson:1 Bailey:1 Reed:1 Kelly:1 Howard:1 Ramos:1 Kim:1 Cox:.9
    Ward:.9 Richardson:.9 Watson:.9 Brooks:.9 Chavez:.9 Wood:.9 James:.9 Bennett:.9 Gray:.9
    Mendoza:.9 Ruiz:.8 Hughes:.8 Price:.8 Alvarez:.8 Castillo:.8 Sanders:.8 Patel:.8 Myers:.8
    Long:.8 Ross:.8 Foster:.8 Jimenez:.8 O'Neil:.3 O'Brien:.4 McDonald:.5 De_La_Cruz:.4 Van_Dyke:.2
    Müller:.2 Núñez:.4 Peña:.3 St._John:.1 Li:.4 Wu:.3 Ng:.2 Le:.4 Tran:.8 Okafor:.1 Kowalski:.2
    """,
    _built(
        "ab ber bran cor dal dun el fal gar hal har kel lan mar nor ol pem quil ros sal stan tor "
        "ul val wen yar zim",
        "a an ber by den der e el er i ing is kam l lo mo ner o os ris sen ter ve win",
        "by dorf er field ford ham ini ko ley low man mark mont more ner os ov ow ridge sen ski "
        "son stein stock ton ville well wood worth",
    ),
    0.78,
)  # fmt: skip

GIVEN: Final[dict[str, Weighted]] = {
    "M": Weighted(
        """
        James:33 John:32 Robert:31 Michael:29 William:25 David:24 Richard:17 Joseph:14 Charles:12
        Thomas:12 Christopher:11 Daniel:11 Matthew:9 Anthony:9 Mark:9 Donald:8 Steven:8 Andrew:7
        Paul:7 Joshua:7 Kenneth:7 Kevin:6 Brian:6 George:6 Timothy:6 Ronald:6 Edward:6 Jason:6
        Jeffrey:5 Ryan:5 Jacob:5 Gary:5 Nicholas:5 Eric:5 Jonathan:5 Stephen:5 Larry:4 Justin:4
        Scott:4 Brandon:4 Benjamin:4 Samuel:4 Gregory:4 Alexander:4 Patrick:4 Frank:4 Raymond:4
        Jack:3 Dennis:3 Jerry:3 Tyler:3 Aaron:3 Jose:5 Adam:3 Nathan:3 Henry:3 Zachary:3 Douglas:3
        Peter:3 Kyle:2 Noah:2 Ethan:2 Jeremy:2 Walter:2 Christian:2 Keith:2 Juan:3 Luis:3 Carlos:3
        Jesus:2 Manuel:2 Jean-Paul:.3 Antonio:2 Francisco:2 Aidan:1 Jayden:1 Wei:.6 Bo:.2 Al:.2
        """,
        _built("an bra da e ja ke lo ma ni o ra ro ste ta wa", "den don lan mon ron ston tin vin"),
        0.1,
    ),
    "F": Weighted(
        """
        Mary:28 Patricia:12 Jennifer:11 Linda:11 Elizabeth:10 Barbara:10 Susan:8 Jessica:8 Karen:8
        Sarah:8 Lisa:7 Nancy:7 Sandra:7 Betty:6 Ashley:6 Emily:6 Kimberly:6 Margaret:6 Donna:6
        Michelle:6 Carol:6 Amanda:6 Melissa:6 Deborah:6 Stephanie:5 Rebecca:5 Sharon:5 Laura:5
        Cynthia:5 Dorothy:5 Amy:5 Kathleen:4 Angela:4 Shirley:4 Emma:4 Brenda:4 Pamela:4 Nicole:4
        Anna:4 Samantha:4 Katherine:4 Christine:4 Debra:3 Rachel:3 Carolyn:3 Janet:3 Maria:6
        Olivia:3 Heather:3 Helen:3 Catherine:3 Diane:3 Julie:3 Victoria:3 Joyce:3 Lauren:3 Kelly:3
        Christina:3 Ruth:2 Joan:2 Virginia:2 Judith:2 Evelyn:2 Hannah:2 Andrea:2 Megan:2 Teresa:2
        Ann:2 Marie:2 Guadalupe:1 Rosa:2 Carmen:2 Mary_Ann:1 Renée:.3 Ana:1 Mei:.6 Jo:.2 Vy:.2
        """,
        _built("a be ca de el ka la ma mi ni ro sha ta vi", "lia lin lyn na nda nelle ra rina sha"),
        0.1,
    ),
}  # fmt: skip

STREETS: Final = Weighted(
    """
    Main:9 Oak:7 Elm:6 Maple:6 Park:5 Cedar:5 Pine:5 Washington:5 Second:5 Third:4 Lake:4 Hill:4
    Walnut:4 Spring:3 North:3 Ridge:3 Church:3 Willow:3 Mill:3 Sunset:3 Railroad:2 Jackson:2
    Lincoln:2 Jefferson:2 Highland:2 Madison:2 Broadway:2 Cherry:2 Dogwood:2 River:2 Hickory:2
    """,
    _built(
        "ash beech brook clear fair glen high hunt mead oak sil stone west", "brook dale ton view"
    ),
    0.5,
)  # fmt: skip
KINDS_OF_STREET: Final = ("Street", "St", "Ave", "Avenue", "Road", "Rd", "Drive", "Lane", "Ct")
