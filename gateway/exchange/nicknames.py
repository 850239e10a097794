"""Given names that one person goes by: short forms and spellings, for `matching`.

Modest on purpose: only forms of which one is regularly the other's short form, and none that
parents also give to a brother or sister (Jonathan and Nathan, William and Liam, John and Jon). Two
short forms of one name are a pair (Bob, Rob), two formal names that share a short form are not:
Chris may be Christopher or Christine, and those two are different people.
"""

from typing import Final

_FORMS: Final = """
abigail abby gail
abraham abe
albert al bert
alexander alex alec sasha sandy
alexandra alex sandy
alfred al fred
alice allie
amanda mandy
andrew andy drew
angela angie
anthony tony
antonio tony
barbara barb babs
benjamin ben benny
bernard bernie
beverly bev
bradley brad
calvin cal
carolyn carrie
catherine katherine kathryn cathy cate kate katie kathy
charles charlie chuck chas
charlotte charlie lottie
christine chris chrissy tina
christina chris tina
christopher chris kit topher
cynthia cindy
daniel dan danny
david dave davey
deborah deb debbie debra
dennis denny
dolores lola
donald don donnie
dorothy dot dottie
douglas doug
edward ed eddie ted ned
eleanor ellie
elizabeth liz lizzie beth betty betsy eliza libby
emily em
eugene gene
evelyn evie
florence flo
frances fran frannie
francis frank
francisco pancho paco frank
franklin frank
frederick fred freddie rick
gabriel gabe
gabrielle gabby
george georgie
gerald jerry gerry
gloria glo
gregory greg
guadalupe lupe
harold hal harry
harriet hattie
henry hank
isabel isabella izzy
jacob jake
jacqueline jackie
james jim jimmy jamie
janet jan
jeffrey jeff geoffrey geoff
jennifer jen jenny
jerome jerry
jessica jess jessie
jesus chuy
john johnny
jonathan jon jonny
jose pepe
joseph joe joey
joshua josh
judith judy
katherine kathy kate katie kathryn kay
kenneth ken kenny
kimberly kim
lawrence larry laurence
leonard len lenny leo
leslie les
lillian lily
louis lou
louise lou
madeline maddie
manuel manny
margaret maggie meg peggy marge margie greta
martha marty
martin marty
matthew matt
maximilian max
megan meg
melissa missy
michael mike mikey mick micky
michelle shelly
mildred millie
mitchell mitch
nancy nan
nathaniel nate
nicholas nick nicky
nicole nicky nikki
oliver ollie
olivia liv
pamela pam
patricia pat patty trish
patrick pat paddy
peter pete
philip phil
rachel rae
raymond ray
rebecca becky becca
reginald reggie
ricardo rick ricky
richard rick ricky rich dick
robert bob bobby rob robbie bert
roberto beto bob
roger rog
ronald ron ronnie
rosemary rosie
russell russ
ruth ruthie
samantha sam
samuel sam sammy
sandra sandy
sarah sally
stephanie steph
stephen steven steve stevie
stuart stewart stu
susan sue susie suzy
suzanne sue susie
sylvester sly
teresa terry tess theresa
terrence terry
theodore ted teddy theo
thomas tom tommy
timothy tim
valerie val
veronica ronnie
victor vic
victoria vicky tori
vincent vince vinny
virginia ginny
walter walt wally
wesley wes
william bill billy will willie
zachary zach zack
"""

_SHORT_FORMS: Final[dict[str, frozenset[str]]] = {
    formal: frozenset(forms)
    for formal, *forms in (line.split() for line in _FORMS.split("\n") if line)
}


def _families() -> dict[str, set[str]]:
    """For each name, the formal names it may stand for."""
    families: dict[str, set[str]] = {}
    for formal, forms in _SHORT_FORMS.items():
        for name in (formal, *forms):
            families.setdefault(name, set()).add(formal)
    return families


_MEANS: Final = _families()


def are_forms_of_one_name(one: str, other: str) -> bool:
    """Whether one is a short form of the other, or both are of one name; in lower case."""
    if one == other:
        return True
    shared = _MEANS.get(one, set()) & _MEANS.get(other, set())
    if not shared:
        return False
    # Two formal names are two people, whatever they share.
    return not (one in _SHORT_FORMS and other in _SHORT_FORMS and not shared & {one, other})
